/** The part of Babel's NodePath that this plugin reads. */
interface NodePath {
  readonly node: {
    readonly type: string;
    readonly value?: unknown;
    readonly quasis?: readonly { readonly value: { readonly raw: string } }[];
  };
}

/**
 * Returns why Stryker must not mutate a node. A string that contains a space is a message, which may change,
 * so tests check the error's code instead. Names, codes and other constants contain no space.
 */
function shouldIgnore({ node }: NodePath): string | undefined {
  const texts =
    node.type === 'StringLiteral' ? [node.value] : (node.quasis ?? []).map(({ value }) => value.raw);
  return texts.some((text) => String(text).includes(' ')) ? 'The text is a message.' : undefined;
}

/** Stryker's plugin `messages`. */
export const strykerPlugins = [{ kind: 'Ignore', name: 'messages', value: { shouldIgnore } }];
