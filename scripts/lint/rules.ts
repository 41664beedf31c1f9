// The lint rules that are this project's own, as a plugin for oxlint (its plugin interface is ESLint's).

/** The little of a syntax node that these rules look at. */
interface Node {
  readonly type: string
  readonly parent?: Node
  readonly range: readonly [number, number]
  readonly [field: string]: unknown
}
interface Context {
  readonly sourceCode: { getCommentsInside(node: Node): readonly unknown[] }
  report(problem: { readonly node: Node; readonly message: string }): void
}
type Rule = { create(context: Context): Record<string, (node: Node) => void> }

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'type' in value
const nameOf = (value: unknown): string | undefined =>
  isNode(value) && value.type === 'Identifier' ? (value['name'] as string) : undefined
const isFunction = (node: Node): boolean => node.type === 'ArrowFunctionExpression' || node.type === 'FunctionExpression'

/** A rule that forbids a kind of syntax wherever it stands. */
const forbid = (types: readonly string[], message: string): Rule => ({
  create: context => Object.fromEntries(types.map(type => [type, (node: Node) => context.report({ node, message })])),
})

/** `setTimeout(resolve, n)` inside `new Promise(resolve => …)`, timers/promises, or a call of something named sleep or delay. */
const noSleep: Rule = {
  create(context) {
    const report = (node: Node) => context.report({ node, message: 'A test awaits a condition or a virtual clock; it does not sleep.' })
    /** Names that settle a promise in the functions around `node`. */
    const settlers = (node: Node): Set<string> => {
      const names = new Set<string>()
      for (let at = node.parent; at; at = at.parent) {
        if (!isFunction(at) || at.parent?.type !== 'NewExpression') continue
        if (nameOf(at.parent['callee']) === 'Promise') for (const param of at['params'] as Node[]) names.add(nameOf(param) ?? '')
      }
      return names
    }
    return {
      ImportDeclaration(node) {
        if (/^(node:)?timers\/promises$/.test(String((node['source'] as Node)['value']))) report(node)
      },
      CallExpression(node) {
        const callee = nameOf(node['callee'])
        const [first] = node['arguments'] as Node[]
        if (callee === 'sleep' || callee === 'delay') report(node)
        if (callee !== 'setTimeout' || first === undefined) return
        const body = isFunction(first) ? (first['body'] as Node) : undefined
        const called = body?.type === 'CallExpression' && (body['arguments'] as Node[]).length === 0 ? nameOf(body['callee']) : undefined
        const settles = nameOf(first) ?? called
        if (settles !== undefined && (settlers(node).has(settles) || settles === 'resolve')) report(node)
      },
    }
  },
}

/** `.catch(() => {})` without a word on why the error does not matter. An empty `catch {}` block is oxlint's own `no-empty`. */
const noSilentCatch: Rule = {
  create: context => ({
    CallExpression(node) {
      const callee = node['callee'] as Node
      if (callee.type !== 'MemberExpression' || nameOf(callee['property']) !== 'catch') return
      const [handler] = node['arguments'] as Node[]
      if (handler === undefined || !isFunction(handler) || context.sourceCode.getCommentsInside(node).length > 0) return
      const body = handler['body'] as Node
      const nothing = (body.type === 'BlockStatement' && (body['body'] as Node[]).length === 0) || nameOf(body) === 'undefined'
      if (nothing)
        context.report({ node: handler, message: 'An error is swallowed: handle it, or say in a comment why it does not matter.' })
    },
  }),
}

/** State of the module outlives a simulated crash and is shared by every node of a simulated process. */
const noModuleState: Rule = {
  create(context) {
    const collections = new Set(['Map', 'Set', 'WeakMap', 'WeakSet'])
    return {
      VariableDeclaration(node) {
        const outer = node.parent?.type === 'ExportNamedDeclaration' ? node.parent.parent : node.parent
        if (outer?.type !== 'Program') return
        const message = 'No state at module level: every simulated node shares it. Keep it in an object that the service owns.'
        if (node['kind'] !== 'const') return context.report({ node, message })
        for (const declarator of node['declarations'] as Node[]) {
          const init = declarator['init']
          if (!isNode(init) || init.type !== 'NewExpression' || !collections.has(nameOf(init['callee']) ?? '')) continue
          const type = (declarator['id'] as Node)['typeAnnotation']
          const reference = isNode(type) && isNode(type['typeAnnotation']) ? nameOf(type['typeAnnotation']['typeName']) : undefined
          if (!reference?.startsWith('Readonly')) context.report({ node: declarator, message })
        }
      },
    }
  },
}

export default {
  meta: { name: 'atoll' },
  rules: {
    'no-enum': forbid(['TSEnumDeclaration'], 'No enum: use an object `as const` and a union.'),
    'no-export-all': forbid(['ExportAllDeclaration'], 'Name what a module exports.'),
    'no-dynamic-import': forbid(['ImportExpression'], 'A dynamic import settles in real time: import at the top of the file.'),
    'no-sleep': noSleep,
    'no-silent-catch': noSilentCatch,
    'no-module-state': noModuleState,
  } satisfies Record<string, Rule>,
}
