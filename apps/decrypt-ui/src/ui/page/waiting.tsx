/**
 * Shown while content loads. The element is empty at first, and shows text after three seconds. index.html has
 * the same text.
 */
export const Waiting = () => (
  <p role="status" className="waiting late t2">
    Still waiting for an answer. The server or the network is slow.
  </p>
);
