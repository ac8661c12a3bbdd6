/// Makes sure that this library is part of the program.
void initialiser_link(void);
