import { condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';

export interface BasketInput {
  readonly customer: string;
}

export const putIntoBasket = defineUpdate<string, [article: string]>('putIntoBasket');
export const askShop = defineSignal<[question: string]>('askShop');
export const closeBasket = defineSignal<[note: string]>('closeBasket');

/**
 * The first article or question creates the basket, because the client starts the workflow together with the
 * update or the signal (update-with-start, signal-with-start).
 */
export async function basket({ customer }: BasketInput): Promise<string> {
  const articles: string[] = [];
  const questions: string[] = [];
  let closed: string | undefined;
  setHandler(putIntoBasket, (article) => {
    articles.push(article);
    return `${article} is in the basket of ${customer}`;
  });
  setHandler(askShop, (question) => void questions.push(question));
  setHandler(closeBasket, (note) => {
    closed = note;
  });
  await condition(() => closed !== undefined);
  return `${customer} takes ${articles.join(', ')} and asks ${questions.join(', ')}: ${closed}`;
}
