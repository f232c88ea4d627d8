import dlens_vx_v3._siblings  # Neckar: public names of a module of dlens_vx_v3, from the list there

dlens_vx_v3._siblings.fill(globals())
