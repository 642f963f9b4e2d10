/** How the card interacts with its page. */
export interface WhyProps {
  readonly onSelect: (eventId: number) => void;
  /** Whether the critical path is shown. */
  readonly path: boolean;
  readonly onPath: () => void;
}
