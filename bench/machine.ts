// The line every benchmark begins with: figures without their machine and day mean nothing.
import { availableParallelism, cpus, totalmem } from 'node:os'

export function machineLine(): string {
  const cores = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}`
  return `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${process.platform} ${process.arch}, ${cores}, ${Math.round(totalmem() / 1024 ** 3)} GiB`
}
