import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
} from '@tanstack/react-router';
import { LatestRun } from './features/run/run-unavailable.tsx';
import { DefaultNamespace, NotFound } from './features/shell/fallback-pages.tsx';
import { Shell } from './features/shell/shell.tsx';
import { listSearch } from './features/workflow-list/list-view.ts';
import { WorkflowListPage } from './features/workflow-list/workflow-list-page.tsx';
import { workflowSearch } from './run/search.ts';

const root = createRootRouteWithContext()({ component: Shell, notFoundComponent: NotFound });

const start = createRoute({ getParentRoute: () => root, path: '/', component: DefaultNamespace });

const namespace = createRoute({ getParentRoute: () => root, path: '/ns/$namespace' });

const workflowsRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/workflows',
  validateSearch: listSearch,
  component: WorkflowListPage,
});

const latestRunRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/workflows/$workflowId',
  validateSearch: workflowSearch,
  component: LatestRun,
});

const workflowRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/workflows/$workflowId/$runId',
  validateSearch: workflowSearch,
  // Loaded when it is needed, so that the list starts without the code of the run's page.
  component: lazyRouteComponent(() => import('./features/run/run-page.tsx'), 'RunPage'),
});

const fileRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/file',
  validateSearch: workflowSearch,
  component: lazyRouteComponent(() => import('./features/file/file-page.tsx'), 'FilePage'),
});

const routeTree = root.addChildren([
  start,
  namespace.addChildren([workflowsRoute, latestRunRoute, workflowRoute, fileRoute]),
]);

export const createAppRouter = (history?: RouterHistory) =>
  createRouter({ routeTree, defaultPreload: 'intent', ...(history ? { history } : {}) });

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
