// The broker's process.
import { setFlagsFromString } from 'node:v8'
import { runNodeProcess } from '@atoll/service/main'
import { startBroker } from './broker.ts'

// Batches are memory outside of the JavaScript heap, and V8 collects the whole heap for each 64 MiB of that, however small
// the heap: two fifths of the processor time under large batches. With this it does so in proportion to what is alive.
setFlagsFromString('--external-memory-accounted-in-global-limit')
await runNodeProcess('broker', startBroker)
