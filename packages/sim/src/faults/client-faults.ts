// Applications whose machines stand still, lose their connections, or have clocks that are wrong: what they hold is lost while
// they are away, and none of it may be missed, repeated or held by two.
import type { LinkFault, NodeId } from '@atoll/base'
import type { DrawFault, Drawing } from './fault.ts'

function drawClient({ clients, random }: Drawing): NodeId | undefined {
  return clients.length === 0 ? undefined : clients[random.below(clients.length)]
}

const one =
  (verb: string, begin: (name: NodeId) => ReturnType<DrawFault>['begin']): DrawFault =>
  drawing => {
    const name = drawClient(drawing)
    return { what: `${verb} ${name ?? 'nobody'}`, begin: cluster => (name === undefined ? undefined : begin(name)(cluster)) }
  }

/** Nothing passes from or to it any more, or everything breaks. */
const links = (fault: LinkFault) =>
  one(fault.reset === true ? 'reset the connections of' : 'cut off', name => cluster => {
    const rules = [
      { from: name, to: '*' as const, fault },
      { from: '*' as const, to: name, fault },
    ]
    cluster.breakLinks(rules)
    return () => cluster.healLinks(rules)
  })

const pause = one('pause', name => cluster => {
  if (cluster.stateOf(name) !== 'running') return undefined
  cluster.pause(name)
  return () => {
    if (cluster.stateOf(name) === 'paused') cluster.resume(name)
  }
})

/** As for coordinators: a tenth either way, and up to a day. */
const SKEW_PPM_MAX = 100_000
const JUMP_MS_MAX = 86_400_000

const clock: DrawFault = drawing => {
  const { random } = drawing
  const error = { skewPpm: random.below(2 * SKEW_PPM_MAX) - SKEW_PPM_MAX, wallOffsetMs: random.below(2 * JUMP_MS_MAX) - JUMP_MS_MAX }
  return one('wrong clock of', name => cluster => {
    cluster.setClock(name, error)
    return () => cluster.setClock(name, { skewPpm: 0, wallOffsetMs: 0 })
  })(drawing)
}

export const clientFaults = {
  client_pause: pause,
  client_cut: links({ cut: true }),
  client_resets: links({ reset: true }),
  client_clock: clock,
} as const
