// The SDK's own compute port, which has no native code, under the same contract as that of the services.
import { describe } from 'vitest'
import { lazyCompute } from '../../packages/client/src/compute.ts'
import { computeContract } from './compute.contract.ts'

describe('the compute port of the SDK', () => {
  computeContract(async body => {
    const { compute, load } = lazyCompute()
    await load()
    body(compute)
  })
})
