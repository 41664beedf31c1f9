// How a timeline page looks and what little it does by itself: one style sheet with a light and a dark side, one script that
// shows the details of the operation under the pointer or the focus.

export const STYLE = `
:root { color-scheme: light dark; --page: #fbfbfa; --panel: #fff; --text: #1d2328; --quiet: #66707a; --line: #e2e5e8; --stripe: #f5f6f6;
  --ok: #d7e6f7; --ok-edge: #7ba7d6; --ok-text: #143a63; --dot: #1f5fa8; --perhaps: #f6e7c4; --perhaps-edge: #c9973a; --perhaps-text: #5c4109;
  --open: #eceef0; --open-edge: #a3abb3; --bad: #c62f2f; --bad-soft: #fbe3e1; --bad-text: #7d1414; --good: #1f7a4a; --unsure: #8a6100 }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --panel: #1b1f23; --text: #e4e8eb; --quiet: #98a2ab; --line: #31373d; --stripe: #181c20;
  --ok: #1f3a57; --ok-edge: #4b7fb5; --ok-text: #d5e6f8; --dot: #8fc1f5; --perhaps: #443617; --perhaps-edge: #b98d3c; --perhaps-text: #f3dfb2;
  --open: #2a2f34; --open-edge: #6d7780; --bad: #ff7a70; --bad-soft: #4b1d1d; --bad-text: #ffd9d5; --good: #62cf95; --unsure: #e0b458 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--text); font: 14px/1.5 system-ui, sans-serif }
header, footer, section { padding: 0 28px; max-width: 1100px }
h1 { font-size: 20px; margin: 24px 0 6px } h2 { font-size: 15px; margin: 26px 0 8px }
.verdict { font-weight: 600 } .bad { color: var(--bad) } .good { color: var(--good) } .unsure { color: var(--unsure) }
p { margin: 4px 0 } .quiet { color: var(--quiet) } code { font: 12.5px ui-monospace, monospace }
.legend { display: flex; flex-wrap: wrap; gap: 6px 20px; margin: 14px 0; color: var(--quiet); font-size: 13px }
.legend i { display: inline-block; width: 26px; height: 13px; margin-right: 7px; vertical-align: -2px; border: 1px solid; border-radius: 3px }
.chart { position: relative; margin: 0 28px; overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; display: flex }
.names { position: sticky; left: 0; z-index: 3; flex: none; background: var(--panel); border-right: 1px solid var(--line) }
.names div { height: 34px; padding: 0 14px; line-height: 34px; color: var(--quiet); font-size: 13px; white-space: nowrap }
.names div:nth-child(even), .rows > .row:nth-child(even) { background: var(--stripe) }
.rows { position: relative; flex: none } .row { height: 34px }
.op { position: absolute; height: 24px; padding: 0 7px; overflow: hidden; border: 1px solid; border-radius: 4px; white-space: nowrap; text-overflow: ellipsis;
  font: 11.5px/22px ui-monospace, monospace; cursor: default }
.op:hover, .op:focus { outline: 2px solid var(--dot); outline-offset: 1px; z-index: 2 }
.ok { background: var(--ok); border-color: var(--ok-edge); color: var(--ok-text) }
.perhaps { background: linear-gradient(90deg, var(--perhaps), transparent); border-color: var(--perhaps-edge); color: var(--perhaps-text); border-right: 0; border-style: dashed }
.open { background: var(--open); border-color: var(--open-edge); color: var(--text); border-style: dashed }
.stuck { background: var(--bad-soft); border: 2px solid var(--bad); color: var(--bad-text); font-weight: 700; line-height: 20px }
.deadline { position: absolute; top: 0; bottom: 0; width: 0; border-left: 2px dashed var(--bad); opacity: .75 }
svg { position: absolute; inset: 0; pointer-events: none; z-index: 1 } svg path { fill: none; stroke: var(--dot); stroke-width: 1; opacity: .4 } svg circle { fill: var(--dot) }
.tip { position: fixed; z-index: 9; max-width: 460px; padding: 9px 12px; background: var(--text); color: var(--page); border-radius: 6px; font: 12px/1.5 ui-monospace, monospace;
  white-space: pre-line; overflow-wrap: anywhere; pointer-events: none; display: none }
table { border-collapse: collapse; width: 100%; font: 12.5px/1.5 ui-monospace, monospace } td, th { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere }
th { color: var(--quiet); font-weight: 500 } td:nth-child(-n+2), th { white-space: nowrap } td:nth-child(3) { width: 55% } tr.quiet td { color: var(--quiet) } tr.bad td { color: var(--bad); font-weight: 700 } footer { margin: 26px 0 30px; color: var(--quiet); font-size: 13px }
`

export const SCRIPT = `
const tip = document.querySelector('.tip')
const show = event => {
  const bar = event.target.closest?.('.op')
  tip.style.display = bar ? 'block' : 'none'
  if (!bar) return
  tip.textContent = bar.dataset.details
  const at = bar.getBoundingClientRect(), box = tip.getBoundingClientRect()
  const x = event.clientX ?? Math.max(at.left, 0)
  tip.style.left = Math.max(8, Math.min(x, innerWidth - box.width - 8)) + 'px'
  tip.style.top = (at.bottom + box.height + 12 < innerHeight ? at.bottom + 8 : Math.max(8, at.top - box.height - 8)) + 'px'
}
for (const kind of ['mouseover', 'focusin']) document.addEventListener(kind, show)
document.addEventListener('keydown', event => { if (event.key === 'Escape') tip.style.display = 'none' })
const chart = document.querySelector('.chart'), stuck = document.querySelector('.op.stuck')
if (stuck) chart.scrollLeft = stuck.offsetLeft + stuck.offsetWidth / 2 - chart.clientWidth * 0.55
`
