import '@fontsource-variable/inter/index.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import '../../src/ui/styles/tokens.css';
import '../../src/ui/styles/base.css';
