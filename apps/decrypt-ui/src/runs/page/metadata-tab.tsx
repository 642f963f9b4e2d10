import { Link } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import type { ReactNode } from 'react';
import { at } from '@temporal-kms/histories/events';
import { attributeName } from '../../payloads/value/attribute-words.ts';
import { PayloadBlock } from '../../payloads/view/payload-block.tsx';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { Breakable } from '../../ui/text/breakable.tsx';
import { attributeList, formatAttribute } from '../inspector/attribute-list.ts';
import { useRun } from '../run/run-context.tsx';
import { searchAttributeText } from '../search-attribute.ts';
import styles from './tabs.module.css';

/** Fields that the page shows elsewhere. */
const shownElsewhere = /^(execution|memo|searchAttributes|autoResetPoints|type\.|status$|taskQueue$)/;

/** Names of ids, and of lists of ids such as `BuildIds`. */
const isId = /(workflow|run|build)ids?$/i;

/** The Metadata tab: unencrypted facts about a run, and what its author wrote about it. */
export function MetadataTab() {
  const { description, address } = useRun();
  const format = useTimeFormat();
  const { workflow, details, payloads } = description;
  const authored = payloads.filter(({ path }) => path.includes('userMetadata.'));
  const searchAttributes = Object.entries(workflow.searchAttributes);
  const info = attributeList(at(details, 'workflowExecutionInfo')).filter(
    ([name]) => !shownElsewhere.test(name),
  );
  const config = attributeList(at(details, 'executionConfig'));
  return (
    <div className={styles['column']}>
      <h2 className="sr-only">Metadata</h2>
      {authored.map((stub) => (
        <PayloadBlock key={stub.ref} stub={stub} />
      ))}
      <List title="Run">
        <Item name="Workflow id" copy={[address.workflowId]} />
        <Item name="Run id" copy={[address.runId]} />
        {workflow.parent ? (
          <Item name="Parent">
            <Link
              className={styles['link']}
              to="/ns/$namespace/workflows/$workflowId/$runId"
              params={{ namespace: address.namespace, ...workflow.parent }}
            >
              {escapeInvisible(workflow.parent.workflowId)}
            </Link>
          </Item>
        ) : null}
        {[...info, ...config].map(([name, value]) => (
          <Item key={name} name={attributeName(name)} path={name} {...(isId.test(name) && { copy: [value] })}>
            {formatAttribute(name, value, format)}
          </Item>
        ))}
      </List>
      {searchAttributes.length > 0 ? (
        <List title="Search attributes" note="never encrypted, because Temporal indexes them">
          {searchAttributes.map(([name, value]) => (
            <Item
              key={name}
              name={escapeInvisible(name)}
              {...(isId.test(name) && { copy: [value].flat().map(searchAttributeText) })}
            >
              {escapeInvisible(searchAttributeText(value))}
            </Item>
          ))}
        </List>
      ) : null}
    </div>
  );
}

function List({ title, note, children }: { title: string; note?: string; children: ReactNode }) {
  return (
    <section className={styles['section']}>
      <header className={styles['head']}>
        <h3>{title}</h3>
        {note ? <span className="small t3">{note}</span> : null}
      </header>
      <dl className={styles['list']}>{children}</dl>
    </section>
  );
}

interface ItemProps {
  readonly name: string;
  /** The attribute's path, shown as a tooltip. */
  readonly path?: string;
  /** Ids, each shown with a button that copies it. */
  readonly copy?: readonly string[];
  readonly children?: ReactNode;
}

function Item({ name, path, copy, children }: ItemProps) {
  const what = name.toLowerCase();
  return (
    <div>
      <dt data-tip={path}>
        <Breakable>{name}</Breakable>
      </dt>
      <dd>
        {copy === undefined
          ? children
          : copy.map((id) => (
              <span key={id} className={styles['copied']}>
                <span className="mono">{escapeInvisible(id)}</span>
                <CopyButton
                  what={copy.length === 1 ? what : `${what} ${escapeInvisible(id)}`}
                  text={() => id}
                />
              </span>
            ))}
      </dd>
    </div>
  );
}
