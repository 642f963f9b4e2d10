/** A place where Temporal stores a payload, and the text that a sample writes around the customer's name. */
export interface Place {
  readonly place: string;
  /** See `Stored.where`. */
  readonly where: string;
  readonly text: (name: string) => string;
}

const rows: readonly [place: string, where: string, text: string][] = [
  ['workflow input', 'WORKFLOW_EXECUTION_STARTED', 'Door 1 of NAME'],
  ['workflow result', 'WORKFLOW_EXECUTION_COMPLETED', 'Delivered to NAME'],
  ['memo at start', 'WORKFLOW_EXECUTION_STARTED', 'Card inside: for NAME'],
  ['memo as described', 'memo', 'Card inside: for NAME'],
  ['upserted memo', 'WORKFLOW_PROPERTIES_MODIFIED', 'NAME has paid'],
  ['static summary', 'WORKFLOW_EXECUTION_STARTED', 'Order of NAME'],
  ['static details', 'WORKFLOW_EXECUTION_STARTED', 'neighbours of NAME'],
  ['activity input', 'ACTIVITY_TASK_SCHEDULED', '{"customer":"NAME","cents"'],
  ['activity summary', 'ACTIVITY_TASK_SCHEDULED', 'Charge the card of NAME'],
  ['activity result', 'ACTIVITY_TASK_COMPLETED', 'Receipt: NAME paid'],
  ["failed attempt's message", 'ACTIVITY_TASK_STARTED', 'locked while NAME orders'],
  ["failed attempt's details", 'ACTIVITY_TASK_STARTED', 'NAME keeps the basket'],
  ['last heartbeat', 'ACTIVITY_TASK_TIMED_OUT', 'Label printed for NAME'],
  ['pending heartbeat', 'pending activity', 'Account of NAME opened'],
  ['pending failure', 'pending activity', 'Bank of NAME is closed'],
  ['local activity result', 'MARKER_RECORDED', 'Offer made to NAME'],
  ['signal', 'WORKFLOW_EXECUTION_SIGNALED', 'Note from NAME'],
  ['signal to another workflow', 'SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED', 'The courier met NAME'],
  ['update arguments', 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED', 'Gate 7 of NAME'],
  ['update result', 'WORKFLOW_EXECUTION_UPDATE_COMPLETED', 'Parcel for NAME now'],
  ['update failure', 'WORKFLOW_EXECUTION_UPDATE_COMPLETED', 'Voucher V-NAME was'],
  ["update failure's details", 'WORKFLOW_EXECUTION_UPDATE_COMPLETED', '{"voucher":"V-NAME'],
  ['timer summary', 'TIMER_STARTED', 'Wait for a note from NAME'],
  [
    'child workflow input',
    'START_CHILD_WORKFLOW_EXECUTION_INITIATED',
    '{"customer":"NAME","address":"Gate 7',
  ],
  ['child workflow memo', 'START_CHILD_WORKFLOW_EXECUTION_INITIATED', 'Fragile: parcel of NAME'],
  ['child workflow summary', 'START_CHILD_WORKFLOW_EXECUTION_INITIATED', 'Bring the parcel to NAME'],
  ['child workflow details', 'START_CHILD_WORKFLOW_EXECUTION_INITIATED', 'Ring twice at NAME'],
  ['child workflow result', 'CHILD_WORKFLOW_EXECUTION_COMPLETED', 'Handed to NAME at'],
  ['child workflow failure', 'CHILD_WORKFLOW_EXECUTION_FAILED', 'Card of NAME was not authorized'],
  ['activity failure', 'ACTIVITY_TASK_FAILED', 'Card of NAME was not authorized'],
  ['failure details', 'ACTIVITY_TASK_FAILED', 'Holder is NAME'],
  ["cause's message", 'WORKFLOW_EXECUTION_FAILED', 'Bank refused NAME'],
  ["cause's details", 'WORKFLOW_EXECUTION_FAILED', 'Ask NAME for another card'],
  ["cause's cause", 'WORKFLOW_EXECUTION_FAILED', 'card of NAME is blocked'],
  ['workflow failure', 'WORKFLOW_EXECUTION_FAILED', 'Checkout of NAME failed'],
  ["workflow failure's details", 'WORKFLOW_EXECUTION_FAILED', 'NAME could not pay'],
  ["stack trace's first line", 'WORKFLOW_EXECUTION_FAILED', 'Error: Issuer: card of NAME'],
  ['failure that a retried run continues', 'WORKFLOW_EXECUTION_STARTED', 'Card of NAME was not authorized'],
  ['workflow task failure', 'WORKFLOW_TASK_FAILED', 'NAME has no membership'],
  ['continue-as-new input', 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW', 'Receipt: NAME paid 9.90'],
  ['continue-as-new memo', 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW', 'NAME has paid 1 of 2'],
  ['cancellation details', 'ACTIVITY_TASK_CANCELED', 'NAME withdrew the request'],
  ['termination details', 'WORKFLOW_EXECUTION_TERMINATED', 'Budget of NAME is closed'],
  ["schedule's arguments", 'schedule', 'Corner shop of NAME'],
  ["schedule's memo", 'schedule', 'Schedule of NAME'],
  ["scheduled workflow's memo", 'schedule', 'Report for NAME'],
  ["scheduled workflow's summary", 'schedule', 'Daily report of NAME'],
  ["scheduled workflow's details", 'schedule', 'Print it for NAME'],
  ['result of the last scheduled run', 'WORKFLOW_EXECUTION_STARTED', 'First report of Corner shop of NAME'],
  ['update that starts a workflow', 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED', 'Kettle for NAME'],
  ['signal that starts a workflow', 'WORKFLOW_EXECUTION_SIGNALED', 'Is it new, NAME'],
  ['completion by token', 'ACTIVITY_TASK_COMPLETED', 'Repaired the clock of NAME'],
  ['heartbeat by token', 'pending activity', 'Clock of NAME lies open'],
  ['failure by token', 'ACTIVITY_TASK_FAILED', 'No spare parts for NAME'],
  ['cancellation by token', 'ACTIVITY_TASK_CANCELED', 'Clock of NAME goes back'],
];

/** All places where samples store payloads, in the encrypted run and in the control run without a codec. */
export const places: readonly Place[] = rows.map(([place, where, text]) => ({
  place,
  where,
  text: (name) => text.replaceAll('NAME', name),
}));

/** The texts in queries and rejected updates, which Temporal does not store. */
export const passing = {
  query: (name: string) => `aunt of ${name}`,
  queryResult: (name: string) => `the order of ${name} is`,
  rejectedUpdate: (name: string) => `Nowhere near ${name}`,
};
