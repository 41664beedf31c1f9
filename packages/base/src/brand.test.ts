// Names: exactly the lower-case DNS labels of RFC 1035.
import { expect, it } from 'vitest'
import { clusterId, isDnsLabel, nodeId } from './brand.ts'

it('takes lower-case DNS labels of 1 to 63 characters', () => {
  for (const name of ['a', '1', 'broker-2', 'a--b', 'x'.repeat(63)]) {
    expect(isDnsLabel(name)).toBe(true)
    expect(nodeId(name)).toBe(name)
    expect(clusterId(name)).toBe(name)
  }
})

it('refuses everything else and says what was wrong', () => {
  for (const name of ['', '-a', 'a-', 'A', 'a.b', 'a_b', 'x'.repeat(64), 'a\n', 'ä']) {
    expect(isDnsLabel(name)).toBe(false)
    expect(() => nodeId(name)).toThrow(RangeError)
    expect(() => clusterId(name)).toThrow(JSON.stringify(name))
  }
})
