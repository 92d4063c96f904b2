/** Styles have no exports. TypeScript 6 looks for the types of what is imported for its effect. */
export {}
