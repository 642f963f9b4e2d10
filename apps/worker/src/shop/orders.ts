export interface WebOrderInput {
  readonly customer: string;
  readonly address: string;
  readonly courier: string;
  readonly cents: number;
  /** The voucher's discount in percent; 0 without a voucher. */
  readonly voucherPercent: number;
  /** The year and month when the card expires. */
  readonly cardExpires: string;
}

export interface ShopOrder {
  readonly workflowId: string;
  readonly input: WebOrderInput;
}

/** The courier who takes several seconds for a parcel. The other couriers take 100 ms. */
export const SLOW_COURIER = 'Otto Brandt';

const ORDERS = 60;
const customers: readonly (readonly [name: string, address: string])[] = [
  ['Amara Diallo', 'Mill Lane 8, Leeds'],
  ['Björn Dahl', 'Strandgata 3, Bergen'],
  ['Chloé Martin', 'Rue du Port 21, Nantes'],
  ['Dmitri Sokolov', 'Lipová 14, Brno'],
  ['Esther Mwangi', 'Station Road 77, York'],
  ['Farid Nazari', 'Bahnhofstraße 5, Ulm'],
  ['Giulia Conti', 'Via Roma 19, Parma'],
];
const couriers = ['Nia Boateng', 'Tom Ellis', 'Sara Costa'];

/** The fields in which a few orders differ from the others, by order number. */
const special: Readonly<Record<number, Partial<WebOrderInput>>> = {
  // Each of these orders takes longer than 95 % of the other completed orders, so the dashboard marks it as
  // slow.
  ...Object.fromEntries([5, 33].map((number) => [number, { courier: SLOW_COURIER }])),
  7: { customer: 'Lena Fuchs', cardExpires: '2024-02' },
  18: { address: 'somewhere near the harbour' },
  44: { customer: 'Lena Fuchs', cardExpires: '2024-02' },
};

function shopOrder(number: number): ShopOrder {
  const [customer = '', address = ''] = customers[number % customers.length] ?? [];
  return {
    workflowId: `web-order-${9_300 + number}`,
    input: {
      customer,
      address,
      courier: couriers[number % couriers.length] ?? '',
      // With a voucher, the amount to pay is never a whole number of cents.
      cents: 1_095 + ((number * 37) % 80) * 100,
      voucherPercent: number % 9 < 5 ? 15 : 0,
      cardExpires: '2039-11',
      ...special[number],
    },
  };
}

/** The orders of the sample shop, in order of placement. All names are invented. */
export const shopOrders: readonly ShopOrder[] = Array.from({ length: ORDERS }, (_, index) =>
  shopOrder(index + 1),
);
