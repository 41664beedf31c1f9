// Binds the native port, and other ports of a node. A taken port is replaced by a free one, unless the operator said it must be this one.
import { type Endpoint, type Listener, NetError, type Random } from '@atoll/base'
import { PORT_MAX, PORT_MIN, PORT_TRIES_MAX } from './limits.ts'

/** The wanted port is taken, and no other may be used. */
export class PortTakenError extends Error {
  override readonly name = 'PortTakenError'
  readonly port: number
  constructor(host: string, port: number, options?: ErrorOptions) {
    super(`port ${port} on ${host} is taken`, options)
    this.port = port
  }
}

export interface NativeAddress {
  readonly host: string
  /** The port asked for; 0 lets the system choose. */
  readonly port: number
  /** Fail when the port is taken instead of choosing another. */
  readonly strict: boolean
}

/** A port for clients that speak something else. */
export interface FrontAddress extends NativeAddress {
  readonly protocol: string
  /** The port of the configuration; `port` is where it was the last time. */
  readonly wanted: number
}

/** Listens at the wanted port or a replacement. Rejects with a PortTakenError, or with the NetError of anything else. */
export async function listenNative<L extends Pick<Listener, 'endpoint'>>(
  listen: (at: Endpoint) => Promise<L>,
  { host, port, strict }: NativeAddress,
  random: Random,
): Promise<L> {
  let candidate = port
  for (let tries = 0; ; tries++) {
    try {
      return await listen({ host, port: candidate })
    } catch (error) {
      if (!(error instanceof NetError) || error.code !== 'address_in_use') throw error
      if (strict || tries === PORT_TRIES_MAX) throw new PortTakenError(host, port, { cause: error })
      candidate = PORT_MIN + random.below(PORT_MAX - PORT_MIN + 1)
    }
  }
}
