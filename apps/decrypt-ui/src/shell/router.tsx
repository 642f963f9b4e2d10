import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  redirect,
  lazyRouteComponent,
  type RouterHistory,
} from '@tanstack/react-router';
import { auditSearch } from '../audit/audit-params.ts';
import { basePath } from '../base-path.ts';
import { historyWorker } from '../runs/indexer/start-history-worker.ts';
import { causesSearch } from '../runs/causes/causes-params.ts';
import { listSearch } from '../runs/list/list-params.ts';
import {
  compareSearch,
  differsSearch,
  historyGrid,
  type WorkflowSearch,
  workflowSearch,
} from '../runs/run-params.ts';
import type { RunSessionsPlace } from '../runs/run/run-sessions-context.tsx';
import type { RunAddress } from '../session/server/addresses.ts';
import { isScrolled } from '../ui/grid/places.ts';
import { Waiting } from '../ui/page/waiting.tsx';
import { rowsInWindow } from '../ui/preferences/row-height.ts';
import { DefaultNamespace } from './default-namespace.tsx';
import { PageFailed } from './page-failed.tsx';
import { Shell } from './shell.tsx';

// Each page's code is loaded on demand, so that the list page starts without the code of the run page.
const loadListPage = () => import('../runs/list/workflow-list-page.tsx');
const loadRunPage = () => import('../runs/page/run-page.tsx');

/**
 * Starts to load the code of the list page or run page while the application is still starting. Does nothing for the
 * paths of other pages.
 * @param path the path below the base path
 */
export function preloadPage(path: string): void {
  const isRun = /^\/ns\/[^/]+\/workflows\/./.test(path);
  const isList = path === '/' || /^\/ns\/[^/]+\/workflows\/?$/.test(path);
  // This code ignores failures, because the router imports the page again and reports them.
  if (isRun) {
    historyWorker();
    loadRunPage().catch(() => undefined);
  } else if (isList) {
    loadListPage().catch(() => undefined);
  }
}

/** What the application passes to the routes. */
interface RouterContext {
  readonly runs: RunSessionsPlace;
}

/** Starts to load a run, and the payloads of the run's first rows, before the run's page renders. */
function preloadRun({ runs }: RouterContext, address: RunAddress, search: WorkflowSearch): void {
  const rows = isScrolled(historyGrid(address)) ? undefined : { search, count: rowsInWindow() };
  import('../runs/run/run-context.tsx').then(
    ({ runSessionsAt }) => runSessionsAt(runs).preload(address, rows),
    // This code ignores failures, because the router imports the same chunk with the page and reports them.
    () => undefined,
  );
}

const root = createRootRouteWithContext<RouterContext>()({
  component: Shell,
  notFoundComponent: lazyRouteComponent(() => import('./not-found.tsx'), 'NotFound'),
});

const start = createRoute({ getParentRoute: () => root, path: '/', component: DefaultNamespace });

const namespace = createRoute({ getParentRoute: () => root, path: '/ns/$namespace' });

const workflowsRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/workflows',
  validateSearch: listSearch,
  component: lazyRouteComponent(loadListPage, 'WorkflowListPage'),
});

const causesRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/causes',
  validateSearch: causesSearch,
  component: lazyRouteComponent(() => import('../runs/causes/causes-page.tsx'), 'CausesPage'),
});

const latestRunRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/workflows/$workflowId',
  validateSearch: workflowSearch,
  component: lazyRouteComponent(() => import('../runs/frame/run-unavailable.tsx'), 'LatestRun'),
});

const workflowRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/workflows/$workflowId/$runId',
  validateSearch: workflowSearch,
  // Does nothing when the router preloads the page because the pointer rests on a link.
  loader: ({ params, context, cause, location }) =>
    cause === 'enter' ? preloadRun(context, params, workflowSearch.parse(location.search)) : undefined,
  component: lazyRouteComponent(loadRunPage, 'RunPage'),
});

const compareRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/workflows/$workflowId/$runId/compare',
  validateSearch: compareSearch,
  component: lazyRouteComponent(() => import('../runs/compare/compare-page.tsx'), 'ComparePage'),
});

const differsRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/differs',
  validateSearch: differsSearch,
  component: lazyRouteComponent(() => import('../runs/differs/differs-page.tsx'), 'DiffersPage'),
});

const fileRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/file',
  validateSearch: workflowSearch,
  component: lazyRouteComponent(() => import('../files/file-page.tsx'), 'FilePage'),
});

const keysRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/keys',
  component: lazyRouteComponent(() => import('../keys/keys-page.tsx'), 'KeysPage'),
});

const schedulesRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/schedules',
  component: lazyRouteComponent(() => import('../schedules/schedules-page.tsx'), 'SchedulesPage'),
});

const scheduleRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/schedules/$scheduleId',
  component: lazyRouteComponent(() => import('../schedules/schedule-page.tsx'), 'SchedulePage'),
});

const auditRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/audit',
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import('../audit/audit-page.tsx'), 'AuditPage'),
});

// Accepts addresses of Temporal's Web UI, because people paste them.
const webUiList = createRoute({
  getParentRoute: () => root,
  path: '/namespaces/$namespace/workflows',
  validateSearch: ({ query }: Record<string, unknown>) => (typeof query === 'string' ? { query } : {}),
  beforeLoad: ({ params, search }) =>
    redirect({ throw: true, to: '/ns/$namespace/workflows', params, search: { q: search.query } }),
});

const webUiLatestRun = createRoute({
  getParentRoute: () => root,
  path: '/namespaces/$namespace/workflows/$workflowId',
  beforeLoad: ({ params }) => redirect({ throw: true, to: '/ns/$namespace/workflows/$workflowId', params }),
});

const webUiRun = createRoute({
  getParentRoute: () => root,
  path: '/namespaces/$namespace/workflows/$workflowId/$runId/$',
  beforeLoad: async ({ params: { _splat: part = '', ...params } }) => {
    const { webUiView } = await import('./web-ui-addresses.ts');
    redirect({
      throw: true,
      to: '/ns/$namespace/workflows/$workflowId/$runId',
      params,
      search: webUiView(part),
    });
  },
});

const routeTree = root.addChildren([
  start,
  webUiList,
  webUiLatestRun,
  webUiRun,
  namespace.addChildren([
    workflowsRoute,
    causesRoute,
    latestRunRoute,
    workflowRoute,
    compareRoute,
    differsRoute,
    fileRoute,
    keysRoute,
    schedulesRoute,
    scheduleRoute,
    auditRoute,
  ]),
]);

export const createAppRouter = (context: RouterContext, history?: RouterHistory) =>
  createRouter({
    routeTree,
    context,
    basepath: basePath,
    defaultPreload: 'intent',
    defaultErrorComponent: PageFailed,
    defaultPendingComponent: Waiting,
    defaultPendingMinMs: 0,
    ...(history ? { history } : {}),
  });

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
