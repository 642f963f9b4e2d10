import { expect, test } from 'vitest';
import { renderApp, RUN, until } from '../support/render-app.tsx';

const run = `/ns/NS/workflows/order-88213/${RUN}`;

test.each([
  [`/namespaces/NS/workflows/order-88213/${RUN}/history`, run],
  [`/namespaces/NS/workflows/order-88213/${RUN}`, run],
  [`/namespaces/NS/workflows/order-88213/${RUN}/history/events/5`, `${run}?ev=5`],
  [`/namespaces/NS/workflows/order-88213/${RUN}/history/event-groups/39`, `${run}?ev=39`],
  [`/namespaces/NS/workflows/order-88213/${RUN}/history/events/0`, run],
  [`/namespaces/NS/workflows/order-88213/${RUN}/pending-activities`, `${run}?tab=pending`],
  [`/namespaces/NS/workflows/order-88213/${RUN}/relationships`, `${run}?tab=relations`],
  [`/namespaces/NS/workflows/order-88213/${RUN}/constructor`, run],
  [`/namespaces/NS/workflows/a%2Fb%20%25/${RUN}/history`, `/ns/NS/workflows/a%2Fb%20%25/${RUN}`],
  ['/namespaces/NS/workflows/order-88213', run],
  ['/namespaces/NS/workflows', '/ns/NS/workflows'],
])('the address %s of Temporal’s Web UI leads to %s', async (webUi, path) => {
  const { history, namespace } = await renderApp(webUi);
  const expected = path.replace('NS', namespace);
  await until(() => history.location.href === expected, `${expected} instead of ${history.location.href}`);
  expect(history.length).toBe(1);
});

test('a visibility query in an address of Temporal’s Web UI becomes the filter', async () => {
  const query = 'ExecutionStatus = "Failed"';
  const { history } = await renderApp(`/namespaces/NS/workflows?query=${encodeURIComponent(query)}`);
  await until(() => history.location.pathname.startsWith('/ns/'), 'the list');
  expect(new URLSearchParams(history.location.search).get('q')).toBe(query);
});
