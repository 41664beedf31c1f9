// The coordinator's process.
import { runNodeProcess } from '@atoll/service/main'
import { startCoordinator } from './coordinator.ts'

await runNodeProcess('coordinator', startCoordinator)
