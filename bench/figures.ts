// How benchmarks sum up: medians with least and most, in a table.

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

/** `1,234 (1,200-1,300)`: median, least, most. */
export function spread(values: readonly number[], digits = 0): string {
  const shown = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits })
  return `${shown(median(values))} (${shown(Math.min(...values))}-${shown(Math.max(...values))})`
}

/** Rows of cells as a Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
