import { Fragment } from 'react';

/** A long name in one piece for copying, with places where a line may end: before a capital, after a dot or a slash. */
export function Breakable({ children }: { children: string }) {
  const parts = children.split(/(?<=[./])|(?=[A-Z][a-z])/);
  return parts.map((part, index) => (
    // oxlint-disable-next-line react/no-array-index-key -- the parts of one text
    <Fragment key={index}>
      {index > 0 ? <wbr /> : null}
      {part}
    </Fragment>
  ));
}
