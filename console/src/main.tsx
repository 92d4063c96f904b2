import 'uplot/dist/uPlot.min.css'
import './styles/base.css'
import './styles/parts.css'
import './styles/pages.css'
import { render } from 'preact'
import { App } from './app.tsx'
import { followLinks } from './router.ts'
import { begin } from './start.ts'

followLinks()
void begin()
// A link that is pasted into the address of an open console loads nothing.
addEventListener('hashchange', () => void begin())
render(<App />, document.getElementById('app')!)
