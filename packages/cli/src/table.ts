// Columns of text: as wide as their widest cell, two blanks apart. Cells may carry colour; only what is seen counts.
import { stripVTControlCharacters } from 'node:util'

/** The lines of a table; the last column is not padded. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell))
  return rows.map(row => row.map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat((widths[i] ?? 0) - width(cell)))).join('  '))
}

const width = (cell: string): number => stripVTControlCharacters(cell).length
