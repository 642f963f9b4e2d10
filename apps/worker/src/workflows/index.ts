// The exports of the workflow bundle: every workflow type of this worker.
export { approval } from './approval.ts';
export { basket } from './basket.ts';
export { checkout } from './checkout.ts';
export { courier } from './courier.ts';
export { dailyReport } from './daily-report.ts';
export { delivery } from './delivery.ts';
export { insuredParcel } from './insured-parcel.ts';
export { loyaltyReport } from './loyalty-report.ts';
export { order } from './order.ts';
export { payment } from './payment.ts';
export { policy } from '../nexus/policy.ts';
export { priceList } from './price-list.ts';
export { repair } from './repair.ts';
export { settlement } from './settlement.ts';
export { stocktake } from './stocktake.ts';
export { subscription } from './subscription.ts';
