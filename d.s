.LBB0_6:
	vmovups	4352(%rcx,%r15,4), %zmm15
	vmovups	5440(%rcx,%r15,4), %zmm16
	vmovups	2176(%rcx,%r15,4), %zmm13
	vmovups	44608(%rcx,%r15,4), %zmm21
	vmovups	3264(%rcx,%r15,4), %zmm11
	vmovups	45696(%rcx,%r15,4), %zmm22
	vmovups	27200(%rcx,%r15,4), %zmm18
	vmovups	47872(%rcx,%r15,4), %zmm24
	vmovups	46784(%rcx,%r15,4), %zmm23
	vmovups	29376(%rcx,%r15,4), %zmm20
	vmovups	26112(%rcx,%r15,4), %zmm19
	vmovups	10880(%rcx,%r15,4), %zmm12
	vmovups	9792(%rcx,%r15,4), %zmm14
	vsubps	32640(%rcx,%r15,4), %zmm15, %zmm15
	vmulps	%zmm21, %zmm13, %zmm25
	vmulps	%zmm22, %zmm11, %zmm26
	vaddps	%zmm16, %zmm2, %zmm17
	vfnmadd231ps	%zmm13, %zmm23, %zmm13
	vfnmadd231ps	%zmm11, %zmm24, %zmm11
	vaddps	%zmm15, %zmm16, %zmm15
	vsubps	%zmm26, %zmm25, %zmm27
	vmulps	%zmm24, %zmm26, %zmm26
	vaddps	%zmm13, %zmm14, %zmm13
	vaddps	%zmm11, %zmm12, %zmm11
	vcmpleps	%zmm3, %zmm15, %k1
	vcmpltps	%zmm15, %zmm17, %k0
	vfnmadd231ps	%zmm25, %zmm23, %zmm26
	vmovaps	%zmm5, %zmm25
	vmovups	23936(%rcx,%r15,4), %zmm18 {%k1}
	korw	%k0, %k1, %k2
	vmovups	25024(%rcx,%r15,4), %zmm20 {%k1}
	vmovups	22848(%rcx,%r15,4), %zmm19 {%k1}
	vmovaps	%zmm17, %zmm15 {%k2}
	vfmsub213ps	%zmm16, %zmm15, %zmm25
	vmulps	%zmm25, %zmm8, %zmm25
	vmulps	%zmm15, %zmm18, %zmm18
	vfmadd213ps	%zmm27, %zmm26, %zmm25
	vmovaps	%zmm6, %zmm27
	vcmpltps	%zmm20, %zmm10, %k1
	vmovaps	%zmm16, %zmm16 {%k1} {z}
	vminps	%zmm18, %zmm4, %zmm18
	vfmadd231ps	%zmm25, %zmm20, %zmm19
	vmovups	8704(%rcx,%r15,4), %zmm20
	vfmadd213ps	%zmm7, %zmm18, %zmm27
	vmulps	%zmm18, %zmm18, %zmm26
	vfnmadd213ps	(%rcx,%r15,4), %zmm16, %zmm20
	vfmsub213ps	%zmm5, %zmm18, %zmm27
	vfmadd213ps	%zmm18, %zmm26, %zmm27
	vsubps	%zmm20, %zmm19, %zmm16
	vsubps	%zmm27, %zmm9, %zmm18
	vmulps	%zmm18, %zmm27, %zmm18
	vsubps	%zmm18, %zmm9, %zmm26
	vmulps	%zmm26, %zmm18, %zmm18
	vsubps	%zmm18, %zmm9, %zmm26
	vmulps	%zmm26, %zmm18, %zmm18
	vfmadd213ps	%zmm20, %zmm18, %zmm16
	vmulps	%zmm22, %zmm12, %zmm18
	vfmsub231ps	%zmm21, %zmm14, %zmm18
	vmovups	%zmm16, 11968(%rcx,%r15,4)
	vmovups	%zmm18, 8704(%rcx,%r15,4)
	vmovups	%zmm15, 13056(%rcx,%r15,4)
	vsubps	%zmm15, %zmm17, %zmm15
	vmovups	%zmm15, 5440(%rcx,%r15,4)
	vmovups	%zmm13, 2176(%rcx,%r15,4)
	vmovups	%zmm11, 3264(%rcx,%r15,4)
	vmovups	%zmm10, 9792(%rcx,%r15,4)
	vmovups	%zmm10, 10880(%rcx,%r15,4)
	addq	$16, %r15
	cmpq	%r15, %rdx
	jne	.LBB0_6
	cmpq	%rdx, %rax
	je	.LBB0_14
	testb	$12, %al
	je	.LBB0_12