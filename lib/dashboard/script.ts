/**
 * The page's script. It is text, because a function's source would change with the bundler that an application uses.
 * It gets runs as `Run.snapshot` and `Run.changes` give them; all text goes into the page as text, never as HTML.
 */
export const script = `
const get = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes and children; strings become text. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

/** About four significant digits. */
function short(value) {
  if (!isNumber(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 10000) return Math.round(value).toLocaleString('en-US');
  if (size < 0.001) return value.toExponential(2).replace('e-', 'e−').replace('-', '−');
  return String(Number(value.toPrecision(4))).replace('-', '−');
}

function duration(seconds) {
  if (!isNumber(seconds)) return '–';
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const pad = (value) => String(value).padStart(2, '0');
  return hours > 0 ? hours + ':' + pad(minutes) + ':' + pad(whole % 60) : minutes + ':' + pad(whole % 60);
}

/** Runs by number, in the order in which they began. */
const runs = new Map();
let connected = false;
let redraw = false;

function announce(text) {
  get('announcement').textContent = text;
}

// Data ---------------------------------------------------------------------------------------------------------------

function addPoint(curve, point) {
  curve.newest = point;
  if (curve.count++ % curve.stride !== 0) return;
  curve.points.push(point);
  if (curve.points.length <= MOST_POINTS) return;
  curve.points = curve.points.filter((_, i) => i % 2 === 0);
  curve.stride *= 2;
}

const pointsOf = ({ points, newest }) =>
  newest && points[points.length - 1] !== newest && (points.length === 0 || points[points.length - 1].epoch < newest.epoch)
    ? [...points, newest]
    : points;

function take(patch) {
  let run = runs.get(patch.id);
  if (run === undefined) {
    run = { id: patch.id, shown: true, trail: [], curve: { points: [], stride: 1, count: 0 } };
    runs.set(run.id, run);
    run.card = newCard(run);
    get('runs').append(run.card.root);
    get('none').hidden = true;
  }
  const before = run.status;
  const { added = [], ...fields } = patch;
  Object.assign(run, fields);
  for (const point of added) addPoint(run.curve, point);
  run.trail = run.trail.filter(({ epoch }) => epoch > lastEpoch(run) + 1);
  const { progress } = fields;
  if (progress && isNumber(progress.loss) && progress.steps > 0) {
    const epoch = progress.epoch + progress.step / progress.steps;
    // Only of the current epoch: the mean over it so far begins again with the next.
    run.trail = run.trail.filter((point) => point.epoch > progress.epoch && point.epoch < epoch);
    run.trail.push({ epoch, loss: progress.loss, accuracy: progress.accuracy });
    if (run.trail.length > MOST_POINTS) run.trail = run.trail.filter((_, i) => i % 2 === 0);
  }
  run.heard = Date.now();
  if (before !== undefined && before !== run.status) announce(run.name + ': ' + run.status);
  if (fields.message) announce(run.name + ': ' + fields.message.text);
}

const lastEpoch = ({ curve }) => (curve.newest ? curve.newest.epoch : -1);

// Cards of the runs --------------------------------------------------------------------------------------------------

function newCard(run) {
  const root = make('article', { class: 'card', 'aria-labelledby': 'name-' + run.id });
  root.style.setProperty('--own', 'var(--c' + ((run.id - 1) % 10) + ')');
  const shown = make('input', { type: 'checkbox', title: 'show in the curves' });
  shown.checked = true;
  shown.addEventListener('change', () => {
    run.shown = shown.checked;
    update();
  });
  const name = make('span', { id: 'name-' + run.id });
  const badge = make('span', { class: 'badge' });
  const bar = make('progress', { max: '1' });
  const sub = make('p', { class: 'soft small' });
  const figures = make('dl');
  const stop = make('button', { type: 'button' }, 'Stop');
  const save = make('button', { type: 'button' }, 'Save now');
  stop.addEventListener('click', () => ask(run, 'stop'));
  save.addEventListener('click', () => ask(run, 'save'));
  const message = make('p', { class: 'message' });
  const swatch = make('span', { class: 'swatch', 'aria-hidden': 'true' });
  root.append(
    make('div', { class: 'top' }, make('h3', {}, make('label', {}, shown, swatch, name)), badge),
    bar,
    sub,
    figures,
    make('div', { class: 'buttons' }, stop, save),
    message,
  );
  return { root, name, badge, bar, sub, figures, stop, save, message, rows: new Map() };
}

async function ask(run, what) {
  try {
    const answer = await fetch('runs/' + run.id + '/' + what, { method: 'POST' });
    if (!answer.ok && answer.status !== 409) announce(what + ' was refused: ' + answer.status);
  } catch {
    announce('the process is out of reach');
  }
}

const isOver = (status) => status === 'finished' || status === 'failed';

function updateCard(run) {
  const { card, settings = {}, progress, curve, status } = run;
  const { newest } = curve;
  card.name.textContent = run.name;
  card.badge.textContent = status;
  card.badge.className = 'badge ' + status;
  const epochs = settings.epochs;
  const current = progress && !isOver(status) ? progress : undefined;
  const done = current ? current.epoch + (current.steps ? current.step / current.steps : 0) : newest ? newest.epoch + 1 : 0;
  const most = Math.max(done, newest && !isOver(status) ? newest.epoch + 1 : 0);
  const limited = isNumber(epochs);
  card.bar.hidden = !limited;
  if (limited) {
    card.bar.value = epochs === 0 ? 1 : most / epochs;
    card.bar.setAttribute('aria-label', 'progress of ' + run.name);
  }
  const parts = [
    newest || current ? 'epoch ' + Math.min(Math.floor(done) + (current ? 1 : 0), limited ? epochs : Infinity) + (limited ? ' of ' + epochs : '') : '',
    isNumber(settings.samples) ? settings.samples.toLocaleString('en-US') + ' samples' : '',
    isNumber(settings.parameters) ? settings.parameters.toLocaleString('en-US') + ' parameters' : '',
    settings.optimizer || '',
    isNumber(settings.batchSize) ? 'batches of ' + settings.batchSize : '',
    settings.backend || '',
  ];
  card.sub.textContent = parts.filter((part) => part !== '').join(' · ');
  const figures = new Map();
  const from = newest || { training: {}, validation: {} };
  for (const [name, value] of Object.entries(from.training)) {
    if (name.includes('/')) continue;
    figures.set(name, short(value));
    if (Object.hasOwn(from.validation, name)) figures.set('validation ' + name, short(from.validation[name]));
  }
  for (const [name, value] of Object.entries(from.validation)) if (!Object.hasOwn(from.training, name)) figures.set(name, short(value));
  if (current) {
    if (isNumber(current.loss)) figures.set('loss', short(current.loss));
    if (isNumber(current.accuracy)) figures.set('accuracy', short(current.accuracy));
    figures.set('samples per second', short(Math.round(current.samplesPerSecond)));
  }
  if (isNumber(from.training['samples per second']) && !current)
    figures.set('samples per second', short(Math.round(from.training['samples per second'])));
  if (!isOver(status)) figures.set('time left', current ? duration(current.secondsLeft) : '–');
  // Elements stay where they are, so that a selection or a screen reader's place in them stays too.
  for (const [name, row] of card.rows) {
    if (figures.has(name)) continue;
    row.remove();
    card.rows.delete(name);
  }
  let at = 0;
  for (const [name, text] of figures) {
    let row = card.rows.get(name);
    if (row === undefined) {
      row = make('div', {}, make('dt', {}, name), make('dd'));
      card.rows.set(name, row);
    }
    const place = card.figures.children[at++];
    if (place !== row) card.figures.insertBefore(row, place || null);
    if (row.lastChild.textContent !== text) row.lastChild.textContent = text;
  }
  const active = status === 'training' || status === 'stopping';
  card.stop.disabled = !connected || status !== 'training';
  card.stop.textContent = status === 'stopping' ? 'Stops after this epoch' : 'Stop';
  card.stop.hidden = !active;
  card.save.hidden = !run.canSave || !active;
  card.save.disabled = !connected;
  card.stop.setAttribute('aria-label', card.stop.textContent + ': ' + run.name);
  card.save.setAttribute('aria-label', 'Save now: ' + run.name);
  const quiet = Math.round((Date.now() - run.heard) / 1000);
  const silent = active && connected && quiet >= 20 ? 'nothing heard for ' + duration(quiet) : '';
  card.message.textContent = run.message ? run.message.text : silent;
  card.message.classList.toggle('failed', run.message ? run.message.failed : false);
}

// Charts -------------------------------------------------------------------------------------------------------------

const charts = new Map();

/** Steps of 1, 2 or 5 times a power of ten, about this many of them. */
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) || rough;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

function newChart(title) {
  const root = make('figure', { class: 'card chart', tabindex: '0', role: 'group' });
  const svg = draw('svg', { 'aria-hidden': 'true' });
  const latest = make('span', { class: 'soft small' });
  const readout = make('output', { 'aria-live': 'polite' });
  root.append(make('h3', {}, make('span', {}, title), latest), svg, readout);
  const chart = { root, svg, latest, readout, title, at: undefined, series: [] };
  const move = (epoch) => {
    chart.at = epoch;
    drawChart(chart);
  };
  svg.addEventListener('pointermove', (event) => {
    if (!chart.scale) return;
    move(chart.scale.nearest(event.clientX - svg.getBoundingClientRect().left));
  });
  svg.addEventListener('pointerleave', () => move(undefined));
  root.addEventListener('blur', () => move(undefined));
  root.addEventListener('keydown', (event) => {
    const { epochs } = chart.scale || { epochs: [] };
    if (epochs.length === 0) return;
    const now = chart.at === undefined ? epochs.length - 1 : epochs.indexOf(chart.at);
    const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: epochs.length - 1 }[event.key];
    if (event.key === 'Escape') move(undefined);
    if (next === undefined) return;
    event.preventDefault();
    move(epochs[Math.max(0, Math.min(epochs.length - 1, next))]);
  });
  get('charts').append(root);
  return chart;
}

function seriesOf(title) {
  const series = [];
  for (const run of runs.values()) {
    if (!run.shown) continue;
    const points = pointsOf(run.curve);
    for (const kind of ['training', 'validation']) {
      const own = points.filter((point) => isNumber(point[kind][title])).map((point) => ({ x: point.epoch + 1, y: point[kind][title] }));
      if (own.length > 0) series.push({ run, kind, points: own });
    }
    if (title === 'loss' || title === 'accuracy') {
      const far = run.trail.filter((point) => isNumber(point[title])).map((point) => ({ x: point.epoch, y: point[title] }));
      if (far.length > 1) series.push({ run, kind: 'far', points: far });
    }
  }
  return series;
}

function drawChart(chart) {
  const { svg, title } = chart;
  const width = svg.clientWidth || 320;
  const height = 190;
  const logarithmic = get('logarithmic').checked && /(^|[/])loss$/.test(title);
  const usable = (y) => !logarithmic || y > 0;
  const series = chart.series.map((each) => ({ ...each, points: each.points.filter(({ y }) => usable(y)) })).filter(({ points }) => points.length > 0);
  svg.replaceChildren();
  svg.setAttribute('viewBox', '0 0 ' + width + ' ' + height);
  chart.scale = undefined;
  if (series.length === 0) return;
  const toY = logarithmic ? Math.log10 : (y) => y;
  const all = series.flatMap(({ points }) => points);
  const xs = all.map(({ x }) => x);
  const ended = series.filter(({ kind }) => kind !== 'far');
  const ys = all.map(({ y }) => toY(y));
  let [left, right] = [Math.min(...xs), Math.max(...xs)];
  if (left === right) [left, right] = [left - 0.5, right + 0.5];
  let [low, high] = [Math.min(...ys), Math.max(...ys)];
  if (low === high) {
    const some = Math.abs(low) * 0.1 || 1;
    [low, high] = [low - some, high + some];
  }
  const room = (high - low) * 0.06;
  [low, high] = [low - room, high + room];
  const marks = logarithmic ? logTicks(low, high) : ticks(low, high, 4);
  const text = (mark) => short(logarithmic ? 10 ** mark : mark);
  const margin = { left: 12 + 6.4 * Math.max(...marks.map((mark) => text(mark).length)), right: 10, top: 8, bottom: 20 };
  const px = (x) => margin.left + ((x - left) / (right - left)) * (width - margin.left - margin.right);
  const py = (y) => height - margin.bottom - ((y - low) / (high - low)) * (height - margin.top - margin.bottom);
  for (const mark of marks) {
    svg.append(
      draw('line', { class: 'rule', x1: margin.left, x2: width - margin.right, y1: py(mark), y2: py(mark) }),
      draw('text', { x: margin.left - 6, y: py(mark) + 4, 'text-anchor': 'end' }, text(mark)),
    );
  }
  const whole = ticks(left, right, Math.max(2, Math.floor(width / 90))).filter(Number.isInteger);
  for (const mark of whole)
    svg.append(draw('text', { x: px(mark), y: height - 5, 'text-anchor': 'middle' }, mark.toLocaleString('en-US')));
  if (whole.length === 0)
    svg.append(draw('text', { x: px((left + right) / 2), y: height - 5, 'text-anchor': 'middle' }, 'within epoch ' + Math.ceil(right)));
  for (const { run, kind, points } of series) {
    const path = points.map(({ x, y }, i) => (i === 0 ? 'M' : 'L') + px(x).toFixed(1) + ' ' + py(toY(y)).toFixed(1)).join('');
    const line = draw('path', { class: 'line ' + kind, d: path });
    line.style.setProperty('--own', 'var(--c' + ((run.id - 1) % 10) + ')');
    svg.append(line);
    if (points.length > 1 || kind === 'far') continue;
    const dot = draw('circle', { class: 'dot', r: 3, cx: px(points[0].x), cy: py(toY(points[0].y)) });
    dot.style.setProperty('--own', 'var(--c' + ((run.id - 1) % 10) + ')');
    svg.append(dot);
  }
  const epochs = [...new Set(ended.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const nearest = (at) => epochs.reduce((best, x) => (best === undefined || Math.abs(px(x) - at) < Math.abs(px(best) - at) ? x : best), undefined);
  chart.scale = { epochs, nearest };
  const at = chart.at !== undefined && epochs.includes(chart.at) ? chart.at : undefined;
  if (at !== undefined) svg.append(draw('line', { class: 'cursor', x1: px(at), x2: px(at), y1: margin.top, y2: height - margin.bottom }));
  const described = (epoch) =>
    ended.flatMap(({ run, kind, points }) => {
      const point = epoch === undefined ? points[points.length - 1] : points.find(({ x }) => x === epoch);
      const who = runs.size > 1 ? run.name + ' ' : '';
      return point ? [who + (kind === 'validation' ? 'validation ' : '') + short(point.y)] : [];
    });
  chart.readout.textContent = at === undefined ? '' : 'epoch ' + at + ': ' + described(at).join(', ');
  const now = described(undefined);
  chart.latest.textContent = runs.size === 1 ? now[0] || '' : '';
  chart.root.setAttribute('aria-label', title + ' over ' + epochs.length + ' epochs; last: ' + now.join(', '));
}

/** Powers of ten, and 2 and 5 times them where there are few. */
function logTicks(low, high) {
  const found = [];
  const factors = high - low > 3 ? [1] : [1, 2, 5];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const factor of factors) {
      const mark = power + Math.log10(factor);
      if (mark >= low && mark <= high) found.push(mark);
    }
  }
  return found.length > 1 ? found : ticks(low, high, 3);
}

function updateCharts() {
  const titles = new Set(['loss', 'accuracy']);
  for (const { curve } of runs.values()) {
    if (!curve.newest) continue;
    for (const title of [...Object.keys(curve.newest.training), ...Object.keys(curve.newest.validation)]) titles.add(title);
  }
  // What says how training goes, before what says how fast.
  const last = ['learning rate', 'samples per second'];
  const sorted = [...[...titles].filter((title) => !last.includes(title)), ...last];
  let some = false;
  for (const title of sorted) {
    const series = seriesOf(title);
    let chart = charts.get(title);
    if (series.length === 0) {
      if (chart) chart.root.hidden = true;
      continue;
    }
    if (chart === undefined) {
      chart = newChart(title);
      charts.set(title, chart);
    }
    some = true;
    chart.root.hidden = false;
    chart.series = series;
  }
  get('curves').hidden = !some && ![...runs.values()].some(({ shown }) => !shown);
  // A chart that came late goes to its place; moving the others would take the focus from them.
  const roots = sorted.flatMap((title) => (charts.has(title) ? [charts.get(title).root] : []));
  roots.forEach((root, i) => {
    const there = get('charts').children[i];
    if (there !== root) get('charts').insertBefore(root, there);
  });
  for (const chart of charts.values()) if (!chart.root.hidden) drawChart(chart);
}

// Inside -------------------------------------------------------------------------------------------------------------

let drawn;

function updateInside() {
  const looked = [...runs.values()].filter(({ inside }) => inside);
  get('inside').hidden = looked.length === 0;
  if (looked.length === 0) return;
  const which = get('which');
  const options = [...which.options];
  if (looked.map(({ id }) => id).join() !== options.map(({ value }) => value).join()) {
    const chosen = which.value;
    which.replaceChildren(...looked.map(({ id, name }) => make('option', { value: String(id) }, name)));
    which.value = looked.some(({ id }) => String(id) === chosen) ? chosen : String(looked[looked.length - 1].id);
  }
  const run = runs.get(Number(which.value));
  if (drawn === run.inside) return;
  drawn = run.inside;
  const { parameters, more, misread } = run.inside;
  const colour = 'var(--c' + ((run.id - 1) % 10) + ')';
  get('samples').hidden = !misread;
  if (misread) {
    get('misread').textContent = misread.count + ' of ' + misread.of + ' samples misread' + (misread.count > misread.images.length ? ', the surest ' + misread.images.length : '');
    get('images').replaceChildren(
      ...misread.images.map(({ row, url, predicted, actual }) => {
        const text = 'sample ' + row + ': predicted ' + predicted + ', is ' + actual;
        return make('figure', {}, make('img', { src: url, alt: text, title: text }), make('figcaption', {}, make('b', {}, predicted), ' (' + actual + ')'));
      }),
    );
  }
  get('parameters').hidden = parameters.length === 0;
  get('parameters-heading').textContent = 'Parameters and their last gradients' + (more > 0 ? ' (' + more + ' more are not shown)' : '');
  get('histograms').replaceChildren(
    ...parameters.map(({ name, shape, weights, gradient }) =>
      make('div', {}, make('h4', {}, name, make('span', { class: 'soft' }, ' ' + shape.join(' × '))), make('div', { class: 'pair' }, bars(name, 'values', weights, colour), bars(name, 'gradient', gradient, colour))),
    ),
  );
}

function bars(name, what, { min, max, counts }, colour) {
  const svg = draw('svg', { viewBox: '0 0 ' + counts.length + ' 40', preserveAspectRatio: 'none', role: 'img', 'aria-label': what + ' of ' + name + ': from ' + short(min) + ' to ' + short(max) });
  svg.style.setProperty('--own', colour);
  const most = Math.max(...counts, 1);
  counts.forEach((count, i) => {
    if (count > 0) svg.append(draw('rect', { class: 'bars', x: i + 0.06, width: 0.88, y: 40 - (38 * count) / most, height: (38 * count) / most }));
  });
  return make('div', {}, make('p', { class: 'what', 'aria-hidden': 'true' }, what), svg, make('div', { class: 'ends' }, make('span', {}, short(min)), make('span', {}, short(max))));
}

// Numbers ------------------------------------------------------------------------------------------------------------

function updateNumbers() {
  const section = get('numbers');
  section.hidden = ![...runs.values()].some(({ curve }) => curve.newest);
  if (section.hidden || !section.querySelector('details').open) return;
  get('tables').replaceChildren(
    ...[...runs.values()].filter(({ curve }) => curve.newest).map((run) => {
      const rows = pointsOf(run.curve).slice(-20).reverse();
      const names = [...new Set(rows.flatMap(({ training, validation }) => [...Object.keys(training), ...Object.keys(validation).map((name) => 'validation ' + name)]))];
      const cell = ({ training, validation }, name) => short(Object.hasOwn(training, name) ? training[name] : validation[name.replace('validation ', '')]);
      const head = make('tr', {}, ...['epoch', ...names].map((name) => make('th', { scope: 'col' }, name)));
      const body = rows.map((row) => make('tr', {}, make('td', {}, String(row.epoch + 1)), ...names.map((name) => make('td', {}, cell(row, name)))));
      return make('div', { class: 'scroll' }, make('table', {}, make('caption', {}, run.name), make('thead', {}, head), make('tbody', {}, ...body)));
    }),
  );
}

// Updates ------------------------------------------------------------------------------------------------------------

function update() {
  if (redraw) return;
  redraw = true;
  requestAnimationFrame(() => {
    redraw = false;
    for (const run of runs.values()) updateCard(run);
    updateCharts();
    updateInside();
    updateNumbers();
  });
}

function say(text, lost) {
  const line = get('connection');
  if (line.textContent !== text) line.textContent = text;
  line.classList.toggle('lost', lost);
}

const events = new EventSource('events');
events.addEventListener('all', ({ data }) => {
  connected = true;
  say('connected', false);
  for (const patch of JSON.parse(data)) take(patch);
  update();
});
events.addEventListener('message', ({ data }) => {
  for (const patch of JSON.parse(data)) take(patch);
  update();
});
events.addEventListener('error', () => {
  connected = false;
  const over = [...runs.values()].every(({ status }) => isOver(status));
  say(over ? 'training is over, and the process has ended' : 'The process has ended or is out of reach. This is what it last reported.', !over);
  update();
});
get('logarithmic').addEventListener('change', update);
get('which').addEventListener('change', update);
get('numbers').querySelector('details').addEventListener('toggle', update);
addEventListener('resize', update);
setInterval(() => {
  for (const run of runs.values()) updateCard(run);
}, 5000);
`;
