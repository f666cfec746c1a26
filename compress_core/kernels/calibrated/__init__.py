"""Weights that are optimised for what a layer gives, not for what its weights are.

All methods here make J(W′) = tr((W−W′) H (W−W′)ᵀ) small, where H = E[x xᵀ] is the Gram matrix of
the layer's inputs: J is the mean squared error of the layer's outputs. H comes damped: a share of
the mean of its diagonal is added to the diagonal (Frantar & Alistarh 2022, Optimal Brain
Compression), without which directions that no input ever took would be free to move in.

Rows of W are independent of each other given H. Matrix products are those of BLAS, whose sums
depend on the shapes of what is multiplied: the same block of rows gives the same bits on one
machine, and another may differ in the last ones.
"""
