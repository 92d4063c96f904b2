module.exports = () => globalThis.stopServer()
