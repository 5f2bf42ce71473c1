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

/** About so many significant digits; all digits before the point, up to a thousand million. */
function short(value, digits = 4) {
  if (!isNumber(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  const rounded = Number(value.toPrecision(digits));
  if (size >= 1e9 || size < 0.001) return rounded.toExponential().replace('+', '').replaceAll('-', '−');
  if (size < 10000) return String(rounded).replace('-', '−');
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return value.toLocaleString('en-US', { maximumFractionDigits: decimals }).replace('-', '−');
}

/** The least and the largest of any number of numbers. */
const extent = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);

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
const colourOf = ({ id }) => 'var(--c' + ((id - 1) % 10) + ')';
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

function drop(run) {
  run.card.root.remove();
  runs.delete(run.id);
  get('none').hidden = runs.size > 0;
}

function take(patch) {
  if (patch.gone) {
    if (runs.has(patch.id)) drop(runs.get(patch.id));
    return;
  }
  let run = runs.get(patch.id);
  if (run === undefined) {
    run = { id: patch.id, shown: true, trail: [], settings: {}, curve: { points: [], stride: 1, count: 0 } };
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
  root.style.setProperty('--own', colourOf(run));
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

/** Epochs done, with the part of the one that runs. */
function epochsDone({ progress, curve, status }) {
  const ended = curve.newest ? curve.newest.epoch + 1 : 0;
  if (!progress || isOver(status)) return ended;
  return progress.epoch + (progress.steps ? progress.step / progress.steps : 0);
}

function updateCard(run) {
  const { card, status } = run;
  card.name.textContent = run.name;
  card.badge.textContent = status;
  card.badge.className = 'badge ' + status;
  updateBar(run);
  card.sub.textContent = settingsOf(run).join(' · ');
  updateRows(card, figuresOf(run));
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

function updateBar(run) {
  const { card, settings, curve, status } = run;
  card.bar.hidden = !isNumber(settings.epochs);
  if (card.bar.hidden) return;
  // Progress may be told later than the epoch that it led to.
  const most = Math.max(epochsDone(run), curve.newest && !isOver(status) ? curve.newest.epoch + 1 : 0);
  card.bar.value = settings.epochs === 0 ? 1 : most / settings.epochs;
  card.bar.setAttribute('aria-label', 'progress of ' + run.name);
}

/** What is trained, and how far, in words. */
function settingsOf(run) {
  const { settings, progress, curve, status } = run;
  const { epochs, samples, parameters, optimizer, batchSize, backend } = settings;
  const limited = isNumber(epochs);
  const current = progress && !isOver(status);
  const epoch = Math.min(Math.floor(epochsDone(run)) + (current ? 1 : 0), limited ? epochs : Infinity);
  return [
    curve.newest || current ? 'epoch ' + epoch + (limited ? ' of ' + epochs : '') : '',
    isNumber(samples) ? samples.toLocaleString('en-US') + ' samples' : '',
    isNumber(parameters) ? parameters.toLocaleString('en-US') + ' parameters' : '',
    optimizer || '',
    isNumber(batchSize) ? 'batches of ' + batchSize : '',
    backend || '',
  ].filter((part) => part !== '');
}

/** The texts of a card's figures by name: of the epoch that runs, or else the last one. */
function figuresOf({ progress, curve, status }) {
  const figures = new Map();
  const current = progress && !isOver(status) ? progress : undefined;
  const { training, validation } = curve.newest || { training: {}, validation: {} };
  for (const [name, value] of Object.entries(training)) {
    if (name.includes('/')) continue;
    figures.set(name, short(value));
    if (Object.hasOwn(validation, name)) figures.set('validation ' + name, short(validation[name]));
  }
  for (const [name, value] of Object.entries(validation)) if (!Object.hasOwn(training, name)) figures.set(name, short(value));
  if (current) {
    if (isNumber(current.loss)) figures.set('loss', short(current.loss));
    if (isNumber(current.accuracy)) figures.set('accuracy', short(current.accuracy));
  }
  const rate = current ? current.samplesPerSecond : training['samples per second'];
  if (current || isNumber(rate)) figures.set('samples per second', short(Math.round(rate)));
  if (!isOver(status)) figures.set('time left', current ? duration(current.secondsLeft) : '–');
  return figures;
}

/** Elements stay where they are, so that a selection or a screen reader's place in them stays too. */
function updateRows(card, figures) {
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
}

// Charts -------------------------------------------------------------------------------------------------------------

const charts = new Map();

/** Steps of 1, 2 or 5 times a power of ten, about this many of them. */
function ticks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) || rough;
  const first = Math.ceil(low / step - 1e-9);
  const found = [];
  // Counted: adding one to a large number of steps may change nothing.
  for (let i = 0; i <= wanted + 1 && (first + i) * step <= high + step * 1e-9; i++)
    found.push(Number(((first + i) * step).toPrecision(15)));
  return found;
}

/** Texts for ticks, with the digits in which they differ. */
function labelsOf(marks) {
  const size = Math.max(...marks.map(Math.abs));
  const step = marks.length > 1 ? Math.abs(marks[1] - marks[0]) : size;
  const digits = Math.floor(Math.log10(size)) - Math.floor(Math.log10(step) + 1e-9) + 1;
  return marks.map((mark) => short(mark, digits > 4 ? Math.min(digits, 15) : 4));
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

/** The lines of a chart. A y that is no number, as that of a metric that gave NaN, is a gap. */
function seriesOf(title) {
  const series = [];
  for (const run of runs.values()) {
    if (!run.shown) continue;
    const points = pointsOf(run.curve);
    for (const kind of ['training', 'validation']) {
      const own = points.filter((point) => Object.hasOwn(point[kind], title)).map((point) => ({ x: point.epoch + 1, y: point[kind][title] }));
      if (own.some(({ y }) => isNumber(y))) series.push({ run, kind, points: own });
    }
    if (title === 'loss' || title === 'accuracy') {
      const far = run.trail.filter((point) => isNumber(point[title])).map((point) => ({ x: point.epoch, y: point[title] }));
      if (far.length > 1) series.push({ run, kind: 'far', points: far });
    }
  }
  return series;
}

const HEIGHT = 190;

function drawChart(chart) {
  const { svg, title, series } = chart;
  const width = svg.clientWidth || 320;
  const logarithmic = get('logarithmic').checked && /(^|[/])loss$/.test(title);
  svg.replaceChildren();
  svg.setAttribute('viewBox', '0 0 ' + width + ' ' + HEIGHT);
  chart.scale = undefined;
  const scale = scaleOf(series, width, logarithmic);
  if (scale === undefined) return;
  drawAxes(svg, scale);
  for (const each of series) drawLine(svg, each, scale);
  const ended = series.filter(({ kind }) => kind !== 'far');
  const epochs = [...new Set(ended.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const { px } = scale;
  const nearest = (at) => epochs.reduce((best, x) => (best === undefined || Math.abs(px(x) - at) < Math.abs(px(best) - at) ? x : best), undefined);
  chart.scale = { epochs, nearest };
  const at = epochs.includes(chart.at) ? chart.at : undefined;
  if (at !== undefined) svg.append(draw('line', { class: 'cursor', x1: px(at), x2: px(at), y1: scale.margin.top, y2: HEIGHT - scale.margin.bottom }));
  chart.readout.textContent = at === undefined ? '' : 'epoch ' + at + ': ' + described(ended, at).join(', ');
  const now = described(ended, undefined);
  chart.latest.textContent = runs.size === 1 ? now[0] || '' : '';
  chart.root.setAttribute('aria-label', title + ' over ' + epochs.length + ' epochs; last: ' + now.join(', '));
}

/** The values of an epoch, or the newest ones, in words. */
function described(series, epoch) {
  return series.flatMap(({ run, kind, points }) => {
    const point = epoch === undefined ? points[points.length - 1] : points.find(({ x }) => x === epoch);
    const who = runs.size > 1 ? run.name + ' ' : '';
    return point ? [who + (kind === 'validation' ? 'validation ' : '') + short(point.y)] : [];
  });
}

/** Where epochs and values lie in a chart, and the marks of its axes; undefined if nothing can be drawn. */
function scaleOf(series, width, logarithmic) {
  const toY = (y) => (!isNumber(y) || (logarithmic && y <= 0) ? undefined : logarithmic ? Math.log10(y) : y);
  const all = series.flatMap(({ points }) => points);
  const ys = all.map(({ y }) => toY(y)).filter(isNumber);
  if (ys.length === 0) return undefined;
  let [left, right] = extent(all.map(({ x }) => x));
  if (left === right) [left, right] = [left - 0.5, right + 0.5];
  let [low, high] = extent(ys);
  // Also of values that differ by rounding alone.
  const size = Math.max(Math.abs(low), Math.abs(high));
  const room = high - low <= 1e-9 * size ? size * 0.1 || 1 : (high - low) * 0.06;
  [low, high] = [low - room, high + room];
  const marks = logarithmic ? logTicks(low, high) : ticks(low, high, 4);
  const labels = labelsOf(marks);
  const letters = Math.max(1, ...labels.map(({ length }) => length));
  const last = Math.floor(right).toLocaleString('en-US').length;
  const margin = { left: 12 + 6.4 * letters, right: Math.max(10, 4 + 3.2 * last), top: 8, bottom: 20 };
  const px = (x) => margin.left + ((x - left) / (right - left)) * (width - margin.left - margin.right);
  const py = (y) => {
    const at = toY(y);
    return at === undefined ? undefined : HEIGHT - margin.bottom - ((at - low) / (high - low)) * (HEIGHT - margin.top - margin.bottom);
  };
  return { width, left, right, margin, px, py, rules: marks.map((mark, i) => ({ y: py(mark), label: labels[i] })) };
}

function drawAxes(svg, { width, left, right, margin, px, rules }) {
  for (const { y, label } of rules) {
    svg.append(
      draw('line', { class: 'rule', x1: margin.left, x2: width - margin.right, y1: y, y2: y }),
      draw('text', { x: margin.left - 6, y: y + 4, 'text-anchor': 'end' }, label),
    );
  }
  const write = (x, text) => svg.append(draw('text', { x: px(x), y: HEIGHT - 5, 'text-anchor': 'middle' }, text));
  const whole = ticks(left, right, Math.max(2, Math.floor(width / 90))).filter(Number.isInteger);
  for (const mark of whole) write(mark, mark.toLocaleString('en-US'));
  if (whole.length === 0) write((left + right) / 2, 'within epoch ' + Math.ceil(right));
}

/** A line with gaps where there is no number; a point between gaps is a dot. */
function drawLine(svg, { run, kind, points }, { px, py }) {
  const places = points.map(({ x, y }) => ({ x: px(x), y: py(y) }));
  const there = (i) => places[i] !== undefined && places[i].y !== undefined;
  let path = '';
  const shapes = [];
  places.forEach(({ x, y }, i) => {
    if (!there(i)) return;
    path += (there(i - 1) ? 'L' : 'M') + x.toFixed(1) + ' ' + y.toFixed(1);
    if (!there(i - 1) && !there(i + 1)) shapes.push(draw('circle', { class: 'dot', r: 3, cx: x, cy: y }));
  });
  shapes.unshift(draw('path', { class: 'line ' + kind, d: path }));
  for (const shape of shapes) shape.style.setProperty('--own', colourOf(run));
  svg.append(...shapes);
}

/** Powers of ten, and 2 and 5 times them where there are few, between 10 ** low and 10 ** high. */
function logTicks(low, high) {
  const found = [];
  const factors = high - low > 3 ? [1] : [1, 2, 5];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const factor of factors) {
      const mark = Number(factor + 'e' + power);
      if (mark >= 10 ** low && mark <= 10 ** high) found.push(mark);
    }
  }
  return found.length > 1 ? found : ticks(10 ** low, 10 ** high, 3);
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
  // Of a run that is gone.
  for (const [title, { root }] of charts) if (!sorted.includes(title)) root.hidden = true;
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
  const colour = colourOf(run);
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

let events;

function connect() {
  events = new EventSource('events');
  events.addEventListener('all', ({ data }) => {
    connected = true;
    say('connected', false);
    const told = JSON.parse(data);
    for (const run of [...runs.values()]) if (!told.some(({ id }) => id === run.id)) drop(run);
    for (const patch of told) take(patch);
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
}

/** A page that nobody sees leaves its connection to others: browsers open six to an address. */
function follow() {
  if (document.hidden) {
    if (events) events.close();
    events = undefined;
  } else if (!events) connect();
}

document.addEventListener('visibilitychange', follow);
follow();
get('logarithmic').addEventListener('change', update);
get('which').addEventListener('change', update);
get('numbers').querySelector('details').addEventListener('toggle', update);
addEventListener('resize', update);
setInterval(() => {
  for (const run of runs.values()) updateCard(run);
}, 5000);
`;
