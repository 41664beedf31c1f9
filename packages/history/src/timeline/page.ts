// A history drawn as one HTML page that needs nothing else: a row per process, a bar per operation, the order that was found
// as a line through the bars, and the first operation that cannot be linearized. The idea is porcupine's visualization.
import type { PartitionResult, Told } from '../linearizability/check.ts'
import { SCRIPT, STYLE } from './appearance.ts'
import { type Bar, type Layout, layOut, ROW_HEIGHT } from './layout.ts'

/** Placed operations that the table tells before the one that does not fit. */
const TABLE_ROWS_MAX = 12
const BAR_TOP = 5

/** The page for one partition of a checked history. All that comes from the history is escaped. */
export function timelinePage(title: string, result: PartitionResult): string {
  const layout = layOut(result)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>
<style>${STYLE}</style></head><body>
<header><h1>${escaped(title)}</h1>${summary(result)}${legend}</header>
${chart(layout, result)}
${decisiveMoment(result)}
<footer>The horizontal axis is the order of events, not the clock. ${leftOut(layout)}Searched ${result.steps.toLocaleString('en-US')} steps, ${result.configurations.toLocaleString('en-US')} configurations.</footer>
<div class="tip" role="status"></div><script>${SCRIPT}</script></body></html>
`
}

function summary({ verdict, partition, operations, order, stuck, exact, initialState }: PartitionResult): string {
  const tone = { 'not linearizable': 'bad', linearizable: 'good', unknown: 'unsure' }[verdict]
  const count = `<p><span class="verdict ${tone}">${verdict}</span> <span class="quiet">· partition <code>${escaped(partition)}</code> · ${operations.length} operations</span></p>`
  if (verdict === 'linearizable' || stuck === undefined) return count
  const state = `<code>${escaped(order.at(-1)?.state ?? initialState)}</code>`
  const it = `<code>${escaped(stuck.text)}</code> by process ${stuck.operation.process}`
  if (!exact)
    return `${count}<p>${verdict === 'unknown' ? 'The search ended before all orders were tried. ' : ''}In the longest order found, ${order.length} operations, the state is ${state}, and ${it} would have to come next.</p>`
  const where = `What returned before it has one: ${order.length} operations, after which the state is ${state}.`
  const what = `No order of operations holds ${it}.`
  return `${count}<p>${what} ${where}</p>`
}

const legend = `<div class="legend"><span><i class="ok"></i>in the order found</span><span><i class="stuck"></i>cannot be linearized</span>
<span><i class="open"></i>not placed</span><span><i class="perhaps"></i>outcome unknown, may take effect at any later time</span><span>● the instant it takes effect</span></div>`

function chart({ processes, bars, width }: Layout, { stuck }: PartitionResult): string {
  const names = processes.map(process => `<div>process ${process}</div>`).join('')
  const rows = processes.map(() => '<div class="row"></div>').join('')
  const height = processes.length * ROW_HEIGHT
  const placed = bars.filter(({ point }) => point !== undefined).sort((a, b) => (a.place ?? 0) - (b.place ?? 0))
  const middle = ({ row }: Bar) => row * ROW_HEIGHT + ROW_HEIGHT / 2 + 9
  const line = placed.map((bar, index) => `${index === 0 ? 'M' : 'L'}${bar.point?.toFixed(0)} ${middle(bar)}`).join('')
  const dots = placed.map(bar => `<circle cx="${bar.point?.toFixed(0)}" cy="${middle(bar)}" r="2.5"/>`).join('')
  const deadline = bars.find(({ operation }) => operation === stuck?.operation)?.right
  const mark = deadline === undefined ? '' : `<div class="deadline" style="left:${deadline.toFixed(0)}px"></div>`
  const drawn = bars.map(bar => drawnBar(bar, stuck)).join('')
  return `<div class="chart"><div class="names">${names}</div><div class="rows" style="width:${width.toFixed(0)}px">${rows}${drawn}${mark}<svg width="${width.toFixed(0)}" height="${height}"><path d="${line}"/>${dots}</svg></div></div>`
}

function drawnBar(bar: Bar, stuck: Told | undefined): string {
  const { operation, text, row, left, right, place } = bar
  const kind = operation === stuck?.operation ? 'stuck' : operation.outcome === 'info' ? 'perhaps' : place === undefined ? 'open' : 'ok'
  const box = `left:${left.toFixed(0)}px;top:${row * ROW_HEIGHT + BAR_TOP}px;width:${(right - left).toFixed(0)}px`
  return `<div class="op ${kind}" tabindex="0" style="${box}" data-details="${escaped(details(bar, kind))}">${escaped(text)}</div>`
}

function details({ operation, text, place, state }: Bar, kind: string): string {
  const { process, node, t0, t1, outcome, error } = operation
  const returned = t1 === Number.POSITIVE_INFINITY ? 'never returned' : `returned ${milliseconds(t1)}, after ${milliseconds(t1 - t0)}`
  const order =
    kind === 'stuck'
      ? 'the first operation that cannot be linearized'
      : place === undefined
        ? 'not placed'
        : `number ${place} of the order; state after it: ${state}`
  const asked = `operation ${operation.operation}, process ${process}${node === null ? '' : `, asked ${node}`}`
  const told = outcome === 'ok' ? '' : `\noutcome ${outcome}${error === null ? '' : `: ${error}`}`
  return `${text}\n${asked}\ncalled ${milliseconds(t0)}, ${returned}${told}\n${order}`
}

/** The end of the order, and what was under way then, as a table. */
function decisiveMoment({ verdict, order, stuck, operations, initialState }: PartitionResult): string {
  if (verdict === 'linearizable' || stuck === undefined) return ''
  const shown = order.slice(-TABLE_ROWS_MAX)
  const rows = shown.map(({ operation, text, state }, index) =>
    tableRow('', String(order.length - shown.length + index + 1), operation.process, text, state),
  )
  const placed = new Set(order.map(({ operation }) => operation))
  const next = operations.filter(
    ({ operation }) => !placed.has(operation) && operation.t0 <= stuck.operation.t1 && operation !== stuck.operation,
  )
  const others = next
    .slice(0, TABLE_ROWS_MAX)
    .map(({ operation, text }) => tableRow('quiet', '', operation.process, text, 'under way at the same time'))
  const last = tableRow('bad', '✗', stuck.operation.process, stuck.text, `cannot follow ${order.at(-1)?.state ?? initialState}`)
  return `<section><h2>Where it ends</h2><table><tr><th>order</th><th>process</th><th>operation</th><th>state after it</th></tr>${rows.join('')}${last}${others.join('')}</table></section>`
}

function tableRow(kind: string, place: string, process: number, text: string, state: string): string {
  return `<tr class="${kind}"><td>${place}</td><td>${process}</td><td>${escaped(text)}</td><td>${escaped(state)}</td></tr>`
}

function leftOut({ before, after }: Layout): string {
  return before + after === 0 ? '' : `${before} operations before and ${after} after are not drawn. `
}

function milliseconds(time: number): string {
  return `${time.toFixed(3)} ms`
}

/** Text as HTML, good inside an attribute too. */
function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '\n': '&#10;' }
  return text.replace(/[&<>"'\n]/g, character => entities[character] ?? character)
}
