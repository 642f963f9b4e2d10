interface Node {
  readonly type: string;
  readonly name?: string;
  readonly callee?: Node;
}

/** The part of Babel's NodePath that this plugin reads. */
interface NodePath {
  readonly parent?: Node;
  readonly listKey?: string;
  readonly key: string | number | null;
}

/** Returns why Stryker must not mutate a node: an error's message, since tests check an error's code only. */
function shouldIgnore({ parent, listKey, key }: NodePath): string | undefined {
  if (parent?.type !== 'NewExpression' || listKey !== 'arguments') return undefined;
  const { name = '' } = parent.callee ?? {};
  const position = name === 'KmsCodecError' ? 1 : 0;
  return name.endsWith('Error') && key === position ? 'Tests check an error’s code.' : undefined;
}

/** Stryker's plugin `error-messages`. */
export const strykerPlugins = [{ kind: 'Ignore', name: 'error-messages', value: { shouldIgnore } }];
