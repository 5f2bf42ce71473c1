/** A process that keeps a core busy as long as its parent runs; the argument is the parent's process id. */
const parent = Number(process.argv[2]);
while (process.ppid === parent) {
  for (let i = 0; i < 1e7; i++);
}
