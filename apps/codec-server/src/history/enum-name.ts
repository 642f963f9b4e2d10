/** `EVENT_TYPE_WORKFLOW_TASK_STARTED` without its prefix in the way of Temporal's own tools: `WorkflowTaskStarted`. */
export const enumName = (name: string, prefix: string): string =>
  name
    .replace(prefix, '')
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
