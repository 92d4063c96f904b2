import { createElement, StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { ApiKeys } from '../../lib/react.js'
import '../../lib/react.css'

// The page of an app with one of several versions of React. The tests bundle it.

const root = createRoot(document.getElementById('root'))
root.render(createElement(StrictMode, null, createElement(ApiKeys, { locale: 'en-GB' })))
