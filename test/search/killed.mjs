// The search of `counted()` in search.test.ts, which kills its process after some trainings. Arguments: the built
// `blasnet`, `blasnet/data` and `blasnet/search`, the log, how many trainings.
const [main, data, tools, log, after] = process.argv.slice(2);
const { Adam, dense, Network, relu, softmaxCrossEntropy } = await import(main);
const { Dataset } = await import(data);
const { choice, integer, logUniform, search } = await import(tools);
const { features, labels } = JSON.parse(process.env.SEARCH_DATA);

await search({
  space: { rate: logUniform(1e-3, 1e-1), units: integer(2, 8), batchSize: choice([8, 16]) },
  trials: 9,
  epochs: 3,
  halving: {},
  seed: 3,
  data: new Dataset({ features, labels: Int32Array.from(labels), classes: 3 }),
  build: ({ rate, units, batchSize }, { seed }) => ({
    network: new Network({
      input: [6],
      layers: [dense(units), relu(), dense(3)],
      loss: softmaxCrossEntropy(),
      seed,
      backend: 'typescript',
    }),
    optimizer: new Adam({ learningRate: rate }),
    batchSize,
  }),
  log,
  onTrial: (_, { done }) => {
    if (done === Number(after)) process.kill(process.pid, 'SIGKILL');
    // The signal may take a moment.
    if (done >= Number(after)) return new Promise(() => {});
  },
});
