// `npx cluster --run golden`: writes the golden bytes of the protocol anew. To be run by somebody who knows that the
// bytes change, and that a released version may not.
import { writeFileSync } from 'node:fs'
import { goldenFile, goldenText } from '../test/golden/messages.ts'

writeFileSync(goldenFile, await goldenText())
console.log(`Wrote ${goldenFile}. Its difference is what changes on the wire.`)
