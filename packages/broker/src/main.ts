// The broker's process.
import { runNodeProcess } from '@atoll/service/main'
import { startBroker } from './broker.ts'

await runNodeProcess('broker', startBroker)
