// A history falls apart into independent ones: what touches different objects can be checked apart (Herlihy and Wing 1990,
// theorem 1, locality). `Map.groupBy` does this from Node 21 on; the test kit also runs on 20.

/** The items of each group in their order, the groups in order of their first item. */
export function groupBy<T>(items: readonly T[], groupOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const name = groupOf(item)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [item])
    else group.push(item)
  }
  return groups
}
