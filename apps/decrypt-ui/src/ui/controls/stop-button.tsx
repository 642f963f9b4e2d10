import { Square } from 'lucide-react';
import { Button, type ButtonProps } from './button.tsx';

/** Stops what is running. */
export function StopButton(props: ButtonProps) {
  return (
    <Button {...props}>
      <Square size={10} />
      Stop
    </Button>
  );
}
