import { useLayoutEffect } from 'react';
import { expect, test } from 'vitest';
import { render } from 'vitest-browser-react';
import { createStore } from 'zustand/vanilla';
import { useStoreInSteps } from '../../src/ui/use-store-in-steps.ts';

type Store = ReturnType<typeof storeOf>;
const storeOf = (text: string) => createStore(() => ({ text }));

function Shown({ store }: { store: Store }) {
  return <p>{useStoreInSteps(store).text}</p>;
}

test('shows a store’s state and changes, until another store replaces it and is shown instead', async () => {
  const [first, second] = [storeOf('one'), storeOf('other')];
  const screen = await render(<Shown store={first} />);
  await expect.poll(() => screen.container.textContent).toBe('one');
  first.setState({ text: 'two' });
  await expect.poll(() => screen.container.textContent).toBe('two');
  await screen.rerender(<Shown store={second} />);
  await expect.poll(() => screen.container.textContent).toBe('other');
  first.setState({ text: 'three' });
  second.setState({ text: 'another' });
  await expect.poll(() => screen.container.textContent).toBe('another');
});

test('shows a change that is made between the first render and its effects', async () => {
  const store = storeOf('before');
  function Changes() {
    const { text } = useStoreInSteps(store);
    // Runs before the effect that subscribes to the store.
    useLayoutEffect(() => store.setState({ text: 'after' }), []);
    return <p>{text}</p>;
  }
  const screen = await render(<Changes />);
  await expect.poll(() => screen.container.textContent).toBe('after');
});
