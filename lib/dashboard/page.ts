import { createHash } from 'node:crypto';
import { MOST_POINTS } from './curve.js';
import { script } from './script.js';
import { style } from './style.js';

const code = `'use strict';\nconst MOST_POINTS = ${MOST_POINTS};\n${script}`;

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The page's content security policy: only its own script and style, and connections to its own server. */
export const policy = [
  "default-src 'none'",
  `script-src ${hash(code)}`,
  `style-src ${hash(style)}`,
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page, the same for all: what it shows comes from `events`. */
export const page = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>blasnet: training</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<header>
<h1>blasnet: training</h1>
<p id="connection" class="soft small" role="status">connecting …</p>
</header>
<main>
<section aria-labelledby="runs-heading">
<div class="heading"><h2 id="runs-heading">Runs</h2></div>
<div id="runs" class="grid"><p id="none" class="soft">No training has begun.</p></div>
</section>
<section aria-labelledby="curves-heading" id="curves" hidden>
<div class="heading"><h2 id="curves-heading">Curves</h2>
<label class="check"><input type="checkbox" id="logarithmic"> logarithmic losses</label>
<p class="soft small">over the epochs; training solid, validation dashed; arrow keys move a chart's cursor</p></div>
<div id="charts" class="grid"></div>
</section>
<section aria-labelledby="inside-heading" id="inside" hidden>
<div class="heading"><h2 id="inside-heading">Inside</h2>
<label class="check">of <select id="which"></select></label>
<p class="soft small" id="looked"></p></div>
<div id="samples" class="card" hidden><h3 id="misread"></h3><div id="images" class="images"></div></div>
<div id="parameters" class="card" hidden><h3 id="parameters-heading">Parameters and their last gradients</h3><div id="histograms" class="histograms"></div></div>
</section>
<section aria-labelledby="numbers-heading" id="numbers" hidden>
<details><summary><h2 id="numbers-heading" class="inline">Numbers of the last epochs</h2></summary><div id="tables"></div></details>
</section>
</main>
<p id="announcement" class="hidden" role="status"></p>
<script>${code}</script>
</body>
</html>
`;
