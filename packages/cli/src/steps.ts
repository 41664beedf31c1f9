// Progress of something that takes a while, in the manner of kind: one line per step, which moves only on a terminal and
// is written once elsewhere.
import { type Output } from './output.ts'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 80

export class Steps {
  readonly #output: Output
  #label: string | undefined
  #note = ''
  #startedMs = 0
  #timer: NodeJS.Timeout | undefined
  #frame = 0

  constructor(output: Output) {
    this.#output = output
  }

  /** Ends the step before well and begins another one. */
  begin(label: string): void {
    this.done()
    this.#label = label
    this.#note = ''
    this.#startedMs = performance.now()
    if (this.#output.progress === 'json') this.#json('begun')
    if (this.#output.progress !== 'tty') return
    this.#timer = setInterval(() => this.#draw(), FRAME_MS)
    this.#timer.unref()
    this.#draw()
  }

  /** How far the step is; seen only where lines can be redrawn. */
  note(text: string): void {
    this.#note = text
  }

  done(): void {
    this.#end(this.#output.message('green', '✓'), 'done')
  }

  failed(): void {
    this.#end(this.#output.message('red', '✗'), 'failed')
  }

  #end(sign: string, outcome: string): void {
    if (this.#label === undefined) return
    clearInterval(this.#timer)
    const seconds = (performance.now() - this.#startedMs) / 1000
    if (this.#output.progress === 'tty') process.stderr.write('\r\x1b[K')
    if (this.#output.progress === 'json') this.#json(outcome)
    else if (this.#output.progress !== 'quiet')
      this.#output.say(` ${sign} ${this.#label} ${this.#output.message('dim', `${seconds.toFixed(1)} s`)}`)
    this.#label = undefined
  }

  #draw(): void {
    const frame = FRAMES[this.#frame++ % FRAMES.length] ?? ''
    process.stderr.write(`\r\x1b[K ${this.#output.message('cyan', frame)} ${this.#label} ${this.#output.message('dim', this.#note)}`)
  }

  #json(outcome: string): void {
    this.#output.say(JSON.stringify({ schema: 1, step: this.#label, outcome }))
  }
}
