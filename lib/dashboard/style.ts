import { lookOf } from '../report/look.js';

function variables(theme: 'light' | 'dark'): string {
  const { ink, axis, grid, edge, right, wrong, palette } = lookOf(theme);
  const [ground, card] = theme === 'light' ? ['#f4f5f7', '#fff'] : ['#16181d', '#1f232a'];
  const soft = theme === 'light' ? '#5a6068' : '#a9b0ba';
  const names = { ink, axis, grid, edge, right, wrong, ground, card, soft, accent: palette[0] };
  const colours = palette.map((colour, i) => `--c${i}: ${colour};`);
  return `color-scheme: ${theme}; ${Object.entries(names)
    .map(([name, value]) => `--${name}: ${value};`)
    .join(' ')} ${colours.join(' ')}`;
}

/** The page's style sheet: colours are those of the pictures. */
export const style = `
:root { ${variables('light')} }
@media (prefers-color-scheme: dark) { :root { ${variables('dark')} } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.45 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: var(--ink); background: var(--ground); font-variant-numeric: tabular-nums; }
header, main { max-width: 1240px; margin: 0 auto; padding-inline: 16px; }
header { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: 4px 16px; padding-top: 14px; }
h1 { font-size: 1.15rem; margin: 0; } h2 { font-size: 1rem; margin: 0; } h3 { font-size: 0.95rem; margin: 0; }
section { margin: 20px 0; }
.heading { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 18px; margin-bottom: 8px; }
.soft { color: var(--soft); } .small { font-size: 0.85rem; } p { margin: 0; }
.lost { color: var(--wrong); font-weight: 600; }
.grid { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr)); }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 12px; margin: 0; min-width: 0; }
.top { display: flex; align-items: center; gap: 8px; }
.top h3 { flex: 1; min-width: 0; } .top label { display: flex; align-items: center; gap: 8px; min-width: 0; flex: 1; min-height: 28px; overflow-wrap: anywhere; }
.swatch { width: 12px; height: 12px; border-radius: 3px; flex: none; background: var(--own); }
.badge { border: 1px solid var(--edge); border-radius: 99px; padding: 0 10px; font-size: 0.8rem; }
.badge.training { color: var(--right); border-color: currentColor; } .badge.stopping, .badge.failed { color: var(--wrong); border-color: currentColor; }
progress { width: 100%; height: 8px; margin: 8px 0 4px; accent-color: var(--own, var(--accent)); display: block; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 8px 12px; margin: 8px 0; }
dl > div { min-width: 0; } dt { font-size: 0.78rem; color: var(--soft); overflow-wrap: anywhere; } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.buttons { display: flex; gap: 8px; flex-wrap: wrap; }
button, select { font: inherit; min-height: 36px; padding: 4px 14px; border: 1px solid var(--axis); border-radius: 6px; background: var(--card); color: inherit; cursor: pointer; max-width: 100%; min-width: 0; }
button:hover:enabled { border-color: var(--accent); } button:disabled { opacity: 0.5; cursor: default; }
input[type=checkbox] { width: 18px; height: 18px; margin: 0; accent-color: var(--own, var(--accent)); flex: none; }
.check { max-width: 100%; min-width: 0; display: inline-flex; align-items: center; gap: 8px; min-height: 28px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.message { margin-top: 8px; font-size: 0.85rem; overflow-wrap: anywhere; } .message.failed { color: var(--wrong); }
.chart h3 { display: flex; justify-content: space-between; gap: 8px; overflow-wrap: anywhere; }
.chart h3 span { min-width: 0; } .chart h3 .small { flex: none; white-space: nowrap; }
.chart svg { display: block; width: 100%; height: 190px; touch-action: pan-y; }
.chart output, .key { display: flex; flex-wrap: wrap; gap: 0 12px; min-height: 1.3em; font-size: 0.8rem; color: var(--soft); }
svg text { fill: var(--soft); font-size: 11px; } .line { fill: none; stroke: var(--own); stroke-width: 1.8; stroke-linejoin: round; }
.line.validation { stroke-dasharray: 6 4; } .line.far { stroke-width: 1; opacity: 0.55; } .dot { fill: var(--own); }
.rule { stroke: var(--grid); } .cursor { stroke: var(--axis); stroke-dasharray: 2 2; }
.bars { fill: var(--own); }
.card + .card { margin-top: 12px; } .grid > .card + .card { margin-top: 0; } .card > h3 { margin-bottom: 6px; }
.images { display: grid; gap: 10px; grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)); }
.images figure { margin: 0; text-align: center; font-size: 0.8rem; } .images img { width: 100%; max-width: 84px; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; border: 1px solid var(--edge); display: block; margin: 0 auto; }
.images b { color: var(--wrong); }
.histograms { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(250px, 100%), 1fr)); }
.histograms h4 { margin: 0; font-size: 0.85rem; overflow-wrap: anywhere; } .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
.histograms svg { display: block; width: 100%; height: 46px; border-bottom: 1px solid var(--axis); }
.what { font-size: 0.72rem; color: var(--soft); } .ends { display: flex; flex-wrap: wrap; gap: 0 6px; justify-content: space-between; font-size: 0.72rem; color: var(--soft); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.85rem; } th, td { text-align: right; padding: 2px 10px; border-bottom: 1px solid var(--grid); white-space: nowrap; } th:first-child, td:first-child { text-align: left; }
summary { cursor: pointer; min-height: 28px; } summary h2 { display: inline; } caption { text-align: left; font-weight: 600; padding: 4px 0; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
[hidden] { display: none !important; }
@media (max-width: 480px) { header, main { padding-inline: 10px; } section { margin: 14px 0; } button { flex: 1; min-height: 44px; } .top h3 { flex: 1; min-width: 0; } .top label { min-height: 44px; } }
`;
