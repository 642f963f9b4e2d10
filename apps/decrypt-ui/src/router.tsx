import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
} from '@tanstack/react-router';
import { Shell } from './features/shell/shell.tsx';
import { DefaultNamespace } from './features/shell/default-namespace.tsx';
import { NotFound } from './features/shell/not-found.tsx';
import { LatestRun } from './features/workflow/latest-run.tsx';
import { workflowSearch } from './features/workflow/search.ts';
import { listSearch } from './features/workflows/search.ts';
import { WorkflowsPage } from './features/workflows/workflows-page.tsx';

const root = createRootRouteWithContext()({ component: Shell, notFoundComponent: NotFound });

const start = createRoute({ getParentRoute: () => root, path: '/', component: DefaultNamespace });

const namespace = createRoute({ getParentRoute: () => root, path: '/ns/$namespace' });

const workflowsRoute = createRoute({
  getParentRoute: () => namespace,
  path: '/workflows',
  validateSearch: listSearch,
  component: WorkflowsPage,
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
  // The list doesn't wait for the inspector's code.
  component: lazyRouteComponent(() => import('./features/workflow/workflow-page.tsx'), 'WorkflowPage'),
});

const routeTree = root.addChildren([
  start,
  namespace.addChildren([workflowsRoute, latestRunRoute, workflowRoute]),
]);

export const createAppRouter = (history?: RouterHistory) =>
  createRouter({ routeTree, defaultPreload: 'intent', ...(history ? { history } : {}) });

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
