// Runs first in every test worker: a worker whose runner was killed would go on for ever, and so would what it started.
process.once('disconnect', () => {
  // vitest makes process.exit throw inside a test.
  process.kill(process.pid, 'SIGKILL')
})
