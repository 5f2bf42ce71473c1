// Transfer: a network that knows the digits 0 to 4 learns 5 to 9 from 100 images of each.
//   npm run example transfer [-- --quick]
import {
  Adam,
  conv2d,
  dense,
  flatten,
  freeze,
  type History,
  input,
  maxPool2d,
  Network,
  type Node,
  progressBar,
  relu,
  softmaxCrossEntropy,
} from 'blasnet';
import { Dataset, mnist } from 'blasnet/data';
import { panelGrid } from 'blasnet/report';
import { check, mean, percent, present, quick, seed } from '../support.js';

const shape = [28, 28, 1] as const;
const data = await mnist({ shape });
const SEEDS = [seed, seed + 1, seed + 2];
const EACH = quick ? 25 : 100;

/** The images of five digits, whose labels then count from 0. */
function digits(source: Dataset, first: number): Dataset {
  const labels = source.labels ?? [];
  const rows = [...labels.keys()].filter((row) => labels[row] >= first && labels[row] < first + 5);
  const { features, scale } = source.subset(rows);
  return new Dataset({ features, shape, scale, labels: rows.map((row) => labels[row] - first), classes: 5 });
}

/** `count` images of each class, others for each `turn`. */
function few(source: Dataset, count: number, turn: number): Dataset {
  const labels = source.labels ?? [];
  const rows = [0, 1, 2, 3, 4].flatMap((label) =>
    [...labels.keys()].filter((row) => labels[row] === label).slice(turn * count, (turn + 1) * count),
  );
  return source.subset(rows);
}

// The body finds features in the image, the head classifies them.
const filters = quick ? 8 : 16;
const body = () =>
  input(shape).pipe(
    conv2d(filters, { window: 5, padding: 'same', name: 'first' }),
    relu(),
    maxPool2d(2),
    conv2d(2 * filters, { window: 5, padding: 'same', name: 'second' }),
    relu(),
    maxPool2d(2),
    flatten({ name: 'features' }),
  );
const head = (features: Node) => features.pipe(dense(64), relu(), dense(5));
const loss = softmaxCrossEntropy();

// 1. The digits 0 to 4, of which there are many.
const low = digits(data.train, 0);
using teacher = new Network({ output: body().pipe(head), loss, seed });
await teacher.fit(quick ? low.take(1200) : low, {
  optimizer: new Adam({ learningRate: 2e-3 }),
  epochs: 2,
  batchSize: quick ? 32 : 64,
  validation: quick ? digits(data.test, 0).take(500) : digits(data.test, 0),
  callbacks: progressBar(),
});

// 2. The digits 5 to 9, of which there are few.
const high = digits(data.train, 5);
const test = quick ? digits(data.test, 5).take(500) : digits(data.test, 5);
const some = test.take(quick ? 100 : 1000); // for the curves
const EPOCHS = quick ? { head: 6, all: 3 } : { head: 15, all: 10 };

const panels: { title: string; curves: { name: string; y: number[] }[] }[] = [];
const accuracies: Record<'frozen' | 'tuned' | 'fresh', number[]> = { frozen: [], tuned: [], fresh: [] };
for (const [turn, own] of SEEDS.entries()) {
  const train = few(high, EACH, turn);
  const fit = (network: Network, optimizer: Adam, epochs: number): Promise<History> =>
    network.fit(train, { optimizer, epochs, batchSize: 25, validation: some });
  const testAccuracy = async (network: Network) => (await network.evaluate(test)).accuracy ?? 0;

  // A new head on the old body: first alone, then everything with a lower rate.
  using student = Network.from(teacher, { output: teacher.node('features').pipe(head), loss, seed: own });
  const first = await fit(student, new Adam({ learningRate: 2e-3, groups: freeze('first', 'second') }), EPOCHS.head);
  accuracies.frozen.push(await testAccuracy(student));
  const second = await fit(student, new Adam({ learningRate: 5e-4 }), EPOCHS.all);
  accuracies.tuned.push(await testAccuracy(student));

  using fresh = new Network({ output: body().pipe(head), loss, seed: own });
  const alone = await fit(fresh, new Adam({ learningRate: 1e-3 }), EPOCHS.head + EPOCHS.all);
  accuracies.fresh.push(await testAccuracy(fresh));

  const curves = {
    transfer: [...first.validationAccuracy, ...second.validationAccuracy],
    'from nothing': alone.validationAccuracy,
  };
  panels.push({ title: `seed ${own}`, curves: Object.entries(curves).map(([name, y]) => ({ name, y })) });
}

const row = (name: string, values: readonly number[]) => [name, ...values.map(percent), percent(mean(values))];
present('transfer', {
  title: 'From the digits 0 to 4 to the digits 5 to 9',
  sections: [
    {
      heading: 'Test accuracy on 5 to 9',
      text: `Trained on ${EACH} images of each digit; other images and another start for each seed.`,
      table: {
        columns: ['', ...SEEDS.map((each) => `seed ${each}`), 'mean'],
        rows: [
          row('new head, body frozen', accuracies.frozen),
          row('then all of it', accuracies.tuned),
          row('from nothing', accuracies.fresh),
        ],
      },
      svg: await panelGrid(panels, {
        xTitle: 'epoch',
        yTitle: 'test accuracy',
        yRange: quick ? [0, 1] : [0.8, 1],
        columns: 3,
      }),
    },
  ],
});

const gain = mean(accuracies.tuned) - mean(accuracies.fresh);
check('fine-tuning gives a higher mean accuracy than training from nothing', gain > 0);
const bound = quick ? 0.8 : 0.96;
check(`the mean accuracy after fine-tuning is at least ${bound}`, mean(accuracies.tuned) >= bound);
