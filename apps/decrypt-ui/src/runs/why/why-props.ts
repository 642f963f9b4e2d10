/** What the card does on the page around it. */
export interface WhyProps {
  readonly onSelect: (eventId: number) => void;
  /** Whether the critical path is shown. */
  readonly path: boolean;
  readonly onPath: () => void;
}
