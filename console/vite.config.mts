import { defineConfig } from 'vite'

/** Builds the pages into the package. Every address is relative, since the mount is known only when they are served. */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  build: {
    outDir: '../lib/console/files',
    emptyOutDir: true,
    target: 'es2022',
    // The content security policy allows neither inline scripts nor `data:` styles.
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    license: false,
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash:10].js',
        chunkFileNames: 'assets/[name]-[hash:10].js',
        assetFileNames: 'assets/[name]-[hash:10][extname]',
      },
    },
  },
})
