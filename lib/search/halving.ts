import { checkInteger, checkOptions } from '../checks.js';

/** For successive halving; see {@link SearchOptions.halving}. */
export interface HalvingOptions {
  /** Each rung keeps one in `factor` trials and gives them `factor` times the epochs. An integer ≥ 2; default 3. */
  factor?: number;
  /** Fewest epochs of a trial; default 1. */
  minimumEpochs?: number;
}

/** A round of a search: how many trials are trained, each for how many epochs. */
export interface Rung {
  readonly trials: number;
  readonly epochs: number;
}

/**
 * The rungs of successive halving (Jamieson and Talwalkar 2016), as in Hyperband's inner loop (Li et al. 2018): with
 * η = `factor`, rung i of 0 … s has ⌊trials / ηⁱ⌋ trials of epochs / ηˢ⁻ⁱ epochs, rounded. s is as large as a last rung
 * of at least one trial and a first one of at least `minimumEpochs` epochs allow. Without halving: one rung.
 */
export function rungsOf(label: string, trials: number, epochs: number, halving: HalvingOptions | undefined): Rung[] {
  if (halving === undefined) return [{ trials, epochs }];
  const { factor = 3, minimumEpochs = 1 } = checkOptions(label, halving, ['factor', 'minimumEpochs']);
  checkInteger(`${label}: factor`, factor, { min: 2 });
  checkInteger(`${label}: minimumEpochs`, minimumEpochs, { min: 1, max: epochs });
  const powers = [1];
  for (let power = factor; power <= trials && epochs / power >= minimumEpochs; power *= factor) powers.push(power);
  return powers.map((power, i) => {
    const share = powers[powers.length - 1 - i];
    return { trials: Math.floor(trials / power), epochs: Math.round(epochs / share) };
  });
}
