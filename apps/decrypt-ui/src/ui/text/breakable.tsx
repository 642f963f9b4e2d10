import { Fragment } from 'react';

/**
 * A long name that may wrap before a capital letter, and after a dot or slash. Copying the name yields the unchanged
 * text.
 */
export function Breakable({ children }: { children: string }) {
  const parts = children.split(/(?<=[./])|(?=[A-Z][a-z])/);
  return parts.map((part, index) => (
    // oxlint-disable-next-line react/no-array-index-key -- the parts of a text have no other key
    <Fragment key={index}>
      {index > 0 ? <wbr /> : null}
      {part}
    </Fragment>
  ));
}
